"""The scenario library: every bundled story of police work comes out as the policy wants it, in virtual time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from simulator.library import LibraryScenario, library
from simulator.lint import lint
from simulator.scenario import FOLDER

LIBRARY = {one.name: one for one in library()}
PLAYED_ELSEWHERE = {"bad-day"}
"""tests/simulator/test_bad_day.py plays it, and reads its evidence too."""
REQUIREMENTS = tomllib.loads((Path(__file__).parents[2] / "docs" / "requirements.toml").read_text("utf-8"))
"""By number."""


@pytest.mark.requirement(
    "R3", "R5", "R6", "R8", "R9", "R11", "R12", "R13", "R14", "R15", "R16", "R17", "R18", "R21", "R22", "R23", "R24",
    "R25", "R26", "R28", "R29", "R30", "R31", "R34", "R38", "R40",
)  # fmt: skip
@pytest.mark.parametrize("name", [name for name in LIBRARY if name not in PLAYED_ELSEWHERE])
def test_a_scenario_comes_out_as_the_policy_wants(name: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="library-"))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "check", name, "--json", "--out", str(folder)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
        (outcome,) = json.loads(done.stdout)
        assert outcome["ok"], outcome["told"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("one", LIBRARY.values(), ids=LIBRARY)
def test_a_scenario_tells_a_story_and_has_nothing_doubtful(one: LibraryScenario) -> None:
    assert lint(FOLDER / f"{one.name}.toml") == ([], [])
    assert set(one.requirements) <= set(REQUIREMENTS)
    assert one.scenario.setup.about
    assert any(step.say for step in one.scenario.steps), "it tells nothing to its reader"
    picture = one.scenario.camera
    assert picture.width * picture.height * picture.frame_rate <= 320 * 180 * 15, "a small picture is made faster"


def test_there_are_at_least_25() -> None:
    assert len(LIBRARY) >= 25


def test_the_page_names_no_scenario_that_is_not_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator" / "library.md").read_text("utf-8")
    named = re.findall(r"`([a-z0-9-]+)`", page.partition("## What catches what")[2])
    assert named
    assert set(named) <= set(LIBRARY)


LISTED = {
    "power cut at any byte": ("card.power_cut", "card.torn_write"),
    "card full / slow / read-only / bit rot": ("card.full", "card.slow", "card.read_only", "card.bit_rot"),
    "encoder stall": ("camera.encoder_stall",),
    "mic silent or 1.1 s late": ("microphone.silent", "microphone.late"),
    "frame drops": ("camera.drop_frames",),
    "clock jump, DST, GNSS week roll": ("clock.jump", "clock.dst", "gps.week_rollover"),
    "no fix, stale fix, teleport": ("gps.no_fix", "gps.stale", "gps.teleport"),
    "battery sag, sudden 0 %, hot": ("battery.sag", "battery.sudden_zero", "battery.hot"),
    "stuck button, hold under shaking": ("lines.stuck_record_button", "lines.shaken_hold"),
    "light-bar bounce and dips": ("lines.lightbar_bounce", "lines.lightbar_dips"),
    "trigger storm": ("lines.storm",),
    "undock mid-chunk and mid-update": ("dock.out_in_mid_upload", "update.interrupted"),
    "server refusals": tuple(f"station.status_{status}" for status in (400, 401, 402, 403, 404, 500, 503, 507)),
    "time-out, truncated body": ("station.time_out", "station.torn_receipt"),
    "wrong hash, ack then lost": ("station.wrong_hash", "station.ack_lost"),
    "two docks claim one camera": ("dock.two_docks",),
    "wrong system id, expired certificate": ("station.wrong_system", "dock.expired_certificate"),
    "replayed receipt": ("station.replayed",),
    "the final store is incomplete (Nashville)": ("station.incomplete",),
    "officer never signs out, unknown category": ("officer.never_signs_out", "category.unknown"),
    "peer broadcast forged or replayed": ("peer.forged", "peer.replayed"),
    "lost-device lock": ("device.lost_lock",),
}
"""The requirements' list, "Faults that the simulator can make". The 1970 start is `[clock]` of `clock-1970`; triggers
in upload, update, boot and sleep are deeds of `bad-line`, `update-interrupted`, `power-cut` and `medical-facility`."""


@pytest.mark.parametrize("listed", LISTED)
def test_every_fault_of_the_requirements_is_played(listed: str) -> None:
    played = {fault for one in LIBRARY.values() for fault in one.faults}
    assert set(LISTED[listed]) <= played

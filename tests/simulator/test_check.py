"""`firsthand-sim check` on virtual time: what comes as expected, what does not and why, and what a run's files say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.claims import RunFacts, wrong
from simulator.expected import expected
from simulator.layout import RunLayout
from simulator.run_facts import RunFiles

SET_UP = """
[profile]
pre_event_s = 3
confirm_stop_s = 0
stop_reason_s = 0
[camera]
width = 320
height = 180
frame_rate = 10
bitrate = 100_000
"""
GOOD = """
when the ring is full, light bar on
expect recording within 1 s
expect lamp red within 2 s
expect haptic within 2 s
after 2 s hold function button
expect log muted within 3 s
expect tone within 3 s
after 3 s release function button
after 1 s fault camera.black for 5 s
expect log failure_began picture_black within 12 s
after 3 s power cut
expect recording within 30 s
after 4 s hold record button
when stopped, after 1 s dock
expect docked within 3 s
expect station has 2 recordings within 60 s
at the end expect evidence valid
at the end expect 2 recordings
at the end expect recording 2 is linked to the recording before
at the end expect recording 1 is recovered
at the end expect loss at most 2 s
at the end expect receipted
at the end expect not deleted on camera
"""
BAD = """
when the ring is full, say Nobody does anything.
after 1 s press the record button twice
expect recording within 1 s
expect log mouse within 1 s
"""
FAILS = """
when the ring is full, press the record button twice
expect recording within 1 s
after 2 s expect state sleep within 1 s
"""


def scenario(folder: Path, name: str, script: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'title = "{name}"\nscript = """{script}"""\n{SET_UP}', encoding="utf-8")
    return path


def check(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "check", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three scenarios, played once: by name, with `exit` and `out` beside them."""
    folder = tmp_path_factory.mktemp("check")
    files = [scenario(folder, *one) for one in (("good", GOOD), ("bad", BAD), ("fails", FAILS))]
    code, said = check(*map(str, files), "--json", "--jobs", "2", "--out", str(folder / "out"))
    return {"exit": code, "out": folder / "out", **{one["scenario"]: one for one in json.loads(said)}}


def test_a_scenario_that_comes_as_expected_is_ok_and_says_both_times(outcomes: dict[str, Any]) -> None:
    good = outcomes["good"]
    assert good["ok"], good["told"]
    assert good["scenario_s"] > 30
    assert good["wall_s"] > 0


def test_one_that_does_not_fails_the_check(outcomes: dict[str, Any]) -> None:
    assert outcomes["exit"] == 1
    assert not outcomes["bad"]["ok"]
    assert not outcomes["fails"]["ok"]


def test_a_mistake_is_told_before_anything_is_played(outcomes: dict[str, Any]) -> None:
    assert "bad.toml:6: 'mouse' is not known" in outcomes["bad"]["told"]
    assert not (outcomes["out"] / "bad").exists()


def test_a_failure_shows_the_line_what_was_expected_what_is_so_and_the_seconds_before(outcomes: dict[str, Any]) -> None:
    told = outcomes["fails"]["told"]
    assert "fails.toml:5: expected state sleep within 1 s, and it did not come; the camera says: RECORDING" in told
    assert re.search(r"0:\d\d\.\d\d  script  > press the record button twice", told)
    assert "log     state recording" in told
    assert "as expected: recording within 1 s" in told
    assert f"{outcomes['out'] / 'fails' / 'timeline.txt'}" in told


@pytest.mark.requirement("R38")
def test_the_files_of_a_run_say_what_became_of_each_recording(outcomes: dict[str, Any]) -> None:
    out = outcomes["out"] / "good"
    facts: RunFacts = RunFiles(RunLayout(out, out / "hardware")).facts()
    first, second = facts.recordings
    assert (first.triggers, first.recovered, first.muted_s > 0) == (("lightbar",), True, False)
    assert "picture_black" in first.failures
    assert (second.linked, second.carries_on, second.closed) == (True, True, "record_button")
    assert first.receipted
    assert second.receipted
    for text, holds in (("station has 2 recordings", True), ("deleted on camera", False), ("no gap", True)):
        claim = expected(text).claim
        assert claim is not None
        assert (wrong(claim, facts) is None) is holds, text


def test_a_file_that_was_tampered_with_does_not_pass(outcomes: dict[str, Any], tmp_path: Path) -> None:
    out = outcomes["out"] / "good"
    layout = RunLayout(out, tmp_path)
    path = min(layout.store.glob("SIM-0001-0*.evidence"))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-400] + bytes([whole[-400] ^ 1]) + whole[-399:])
        facts = RunFiles(layout).facts()
        assert any(path.name in one for one in facts.problems)
        assert not facts.recordings[0].receipted
    finally:
        path.write_bytes(whole)


def test_an_unknown_scenario_is_wrong_usage() -> None:
    code, said = check("quik")
    assert code == 64
    assert "did you mean 'quick'?" in said

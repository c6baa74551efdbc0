"""A camera's log, played again: what is written into the scenario, and does it make a camera do the same (issue 6)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evidence.export.decrypt import Vault
from evidence.log_entries import Entry
from evidence.statements import ClockStep, Event, Utc, moment
from evidence.trust import Trust
from simulator.faults import catalogue
from simulator.replay_compare import compared
from simulator.replay_plan import Plan, plan
from simulator.replay_read import UNVERIFIED, ReadLog, read_log
from simulator.replay_text import scenario_text
from simulator.run_errors import BadInput
from simulator.scenario import load_scenario

NS = 1_000_000_000
VECTORS = Path(__file__).resolve().parents[1] / "vectors"
LOG = VECTORS / "SIM-0001-log-000001.evidence"
BOOTS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")


def utc(at_s: float, source: Any = "ntp") -> Utc:
    return Utc(earliest=moment(round(at_s * NS)), latest=moment(round(at_s * NS)), source=source)


def entry(at_s: float, event: str, word: str | None = None, recording: int | None = None, /, *, boot: int = 0,
          utc_s: float | None = None, **details: Any) -> Entry:  # fmt: skip
    """One entry of a log that begins 100 s after the camera's boot."""
    statement = Event(
        v=1, serial="CAM-1", stream="log", number=1 + boot, seq=round(at_s * 10), prev="0" * 64, boot=BOOTS[boot],
        mono_ns=round((100 + at_s) * NS), utc=utc(at_s if utc_s is None else utc_s), event=event, word=word,
        recording=recording,
    )  # fmt: skip
    return Entry(statement, "log", details)


def clock_step(at_s: float, before: Utc, after: Utc, cause: str) -> Entry:
    statement = ClockStep(
        v=1, serial="CAM-1", stream="log", number=1, seq=round(at_s * 10), prev="0" * 64, boot=BOOTS[0],
        mono_ns=mono(at_s), utc=after, before=before, after=after, cause=cause,
    )  # fmt: skip
    return Entry(statement, "log")


def mono(at_s: float) -> int:
    """An instant of the camera's clock, as details tell it."""
    return round((100 + at_s) * NS)


def deeds(*entries: Entry, details: bool = True) -> list[tuple[float, str]]:
    """What is done in the replay, by time in seconds since the log's beginning."""
    return [(round(one.at_s, 1), one.text) for one in planned(*entries, details=details).happenings
            if one.kind == "do"]  # fmt: skip


def planned(*entries: Entry, details: bool = True) -> Plan:
    return plan([entry(0, "boot"), *entries], frozenset(catalogue()), details=details)


def text_of(*entries: Entry) -> str:
    every = (entry(0, "boot"), *entries)
    log = ReadLog("CAM-1", every, (), (), details=True)
    return scenario_text(log, plan(every, frozenset(catalogue()), details=True))


# --- what people did --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "kind", "deed"),
    [
        ("record_button", "record_button", (9.7, "press record button twice")),
        ("panic", "emergency_button", (9.9, "press emergency button")),
        ("blue_lights", "light_bar", (10.0, "light bar on")),
        ("pursuit", "pursuit", (10.0, "pursuit on")),
        ("crash", "crash", (9.7, "crash")),
        ("gun", "weapon", (9.9, "weapon drawn")),
    ],
)
def test_each_trigger_is_pulled_as_its_kind_is(trigger: str, kind: str, deed: tuple[float, str]) -> None:
    opened = entry(10.2, "recording_opened", None, 1, trigger=trigger, kind=kind, at_ns=mono(10))
    assert deeds(opened) == [deed]


def test_a_recording_that_goes_on_by_itself_is_pulled_by_nobody() -> None:
    rolled = entry(60, "recording_opened", None, 2, trigger="lightbar", kind="light_bar", continues="CAM-1-000001")
    clip = [entry(5, "recording_opened", None, 3, trigger="self_test", kind="self_test"),
            entry(9, "labelled", "test", 3, origin="self_test", word="test")]  # fmt: skip
    assert deeds(rolled, *clip) == []


def test_without_the_key_the_record_button_stands_for_what_is_sealed() -> None:
    found = planned(entry(10, "recording_opened", None, 1), details=False).happenings
    assert [(one.kind, one.text) for one in found] == [
        ("do", "press record button twice"),
        ("remark", "what started this recording is sealed: the record button stands for it"),
    ]


def test_the_officers_way_to_stop_is_held_confirmed_and_reasoned() -> None:
    profile = {"v": 1, "name": "p", "version": 3, "hold_to_stop_ms": 2000, "confirm_stop_s": 8}
    opened = entry(10, "recording_opened", None, 1, trigger="record_button", kind="record_button", profile=profile)
    stop = [
        entry(20, "state", "confirming_stop"),
        entry(22, "state", "stating_reason"),
        entry(24, "stop_reason", "telephone", 1, supervisor="consulted"),
        entry(24, "recording_closed", "record_button", 1),
    ]
    assert deeds(opened, *stop)[1:] == [
        (18.0, "hold record button"),
        (21.9, "press record button once"),
        (23.9, "give reason telephone, supervisor consulted"),
    ]
    assert planned(opened, *stop).profile == {"hold_to_stop_ms": 2000, "confirm_stop_s": 8}


def test_a_policy_without_a_second_word_shows_in_the_log() -> None:
    closed = [entry(10, "recording_opened", None, 1), entry(20, "stop_reason", "not_asked", 1),
              entry(20, "recording_closed", "record_button", 1), entry(30, "tombstone", "recording", 1)]  # fmt: skip
    found = planned(*closed, details=False)
    assert found.profile == {"confirm_stop_s": 0, "stop_reason_s": 0, "keep_after_receipt_h": 0}
    assert [one.text for one in found.happenings if one.kind == "do"][1:] == ["hold record button"]


def test_sleep_mute_stealth_dock_and_people() -> None:
    assert [text for _, text in deeds(
        entry(1, "assigned", "pin"), entry(2, "undocked"), entry(5, "muted", None, 1), entry(8, "unmuted", None, 1),
        entry(9, "stealth", "on"), entry(10, "stealth", "off"), entry(20, "state", "sleep"),
        entry(25, "peer_start_taken"), entry(25.1, "recording_opened", None, 2, trigger="peer", kind="peer"),
        entry(27, "override", "microphone"), entry(28, "lock", "locked"), entry(29, "lock", "unlocked"),
        entry(30, "docked"), entry(31, "session_ended", "docked"), entry(32, "session_ended", "signed_out"),
    )] == [
        "officer signs in", "undock", "hold function button", "release function button", "stealth slide on",
        "stealth slide off", "hold function button", "release function button", "press function button once",
        "peer starts", "supervisor overrides microphone", "fault device.lost_lock", "end fault device.lost_lock",
        "dock", "officer signs out",
    ]  # fmt: skip


@pytest.mark.requirement("R1")
def test_no_officer_no_case_and_no_words_of_anybody_are_carried_over() -> None:
    written = text_of(
        entry(1, "assigned", "pin", officer="4711", officer_name="P. Rivera", badge="B-4711"),
        entry(2, "recording_opened", None, 1, trigger="record_button", kind="record_button", officer="4711"),
        entry(3, "labelled", "case", 1, text="26-01234", label="case"),
        entry(4, "malfunction", "microphone", 1, symptom="Rivera dropped it"),
    )
    assert not [one for one in ("4711", "Rivera", "26-01234") if one in written]
    assert "case number 00-00000" in written


# --- vehicle, battery, clock ------------------------------------------------------------------------------------------


def test_the_vehicles_lines_follow_the_sealed_timeline_and_change_only_once() -> None:
    rows = [[mono(10), "blue_lights", 1], [mono(14), "blue_lights", 0], [mono(15), "brake", 1], [mono(16), "brake", 0]]
    triggers = [{"name": "blue_lights", "kind": "light_bar"}]
    opened = entry(10.2, "recording_opened", None, 1, trigger="blue_lights", kind="light_bar", at_ns=mono(10),
                   timeline=rows[:1], triggers=triggers)  # fmt: skip
    closed = entry(20, "recording_closed", "shutdown", 1, timeline=rows, triggers=triggers)
    assert deeds(opened, closed) == [
        (10.0, "light bar on"), (14.0, "light bar off"), (15.0, "brake on"), (16.0, "brake off"),
    ]  # fmt: skip


def test_a_line_that_went_off_unseen_goes_off_before_it_comes_on_again() -> None:
    twice = [entry(at, "suppressed", "asleep", None, name="lightbar", at_ns=mono(at)) for at in (10, 20)]
    assert deeds(*twice) == [(10.0, "light bar on"), (19.6, "light bar off"), (20.0, "light bar on")]


def test_a_line_that_is_told_again_after_a_restart_was_on_all_the_time() -> None:
    before = entry(10, "suppressed", "asleep", None, name="lightbar", at_ns=mono(10))
    after = [entry(12, "boot", boot=1), entry(12.2, "trigger", None, 2, boot=1, name="lightbar", kind="light_bar")]
    assert [text for _, text in deeds(before, *after)] == ["light bar on", "power cut"]


def test_speed_is_driven_and_over() -> None:
    rows = [[mono(9), "speed_kmh", 150], [mono(15), "speed_kmh", 60]]
    fast = entry(10, "trigger", None, 1, name="speed", kind="speed", timeline=rows)
    assert deeds(fast) == [(8.0, "drive at 150"), (15.0, "drive at 60")]


def test_a_battery_falls_step_by_step_or_its_gauge_would_not_be_believed() -> None:
    found = deeds(entry(100, "battery", "low", percent=40), entry(120, "battery", "critical", percent=30))
    percents = [int(text.removeprefix("battery ")) for _, text in found]
    assert percents[-2:] == [40, 30]
    assert all(0 < before - after <= 14 for before, after in zip([87, *percents], percents, strict=False))


def test_heat_and_clock() -> None:
    step = clock_step(20, utc(19), utc(3620), "stepped_forward")
    lost = clock_step(30, utc(29), utc(0, "none"), "source_changed")
    assert deeds(entry(10, "thermal", "hot", zones_mc={"cpu": 81000}), step, lost) == [
        (8.0, "board 81 degrees"), (19.5, "clock jumps 3600 s"), (29.5, "clock unset"),
    ]  # fmt: skip


# --- failures and power -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("R29")
def test_a_failure_is_the_fault_that_causes_it_as_long_as_it_lasted() -> None:
    exact = [entry(13, "background_test", "picture_black", None, component="picture", since_ns=mono(10)),
             entry(13, "failure_began", "picture_black", 1, start_ns=mono(10)),
             entry(20, "background_test", "picture_works", None, component="picture", since_ns=mono(10)),
             entry(21, "failure_ended", "picture_black", 1, start_ns=mono(10), end_ns=mono(19))]  # fmt: skip
    assert deeds(*exact) == [(10.0, "fault camera.black for 7.2 s")]
    rough = [entry(13, "failure_began", "encoder_stalled", 1), entry(20, "failure_ended", "encoder_stalled", 1)]
    assert deeds(*rough) == [(11.0, "fault camera.encoder_stall for 7.0 s")]


def test_a_lens_that_was_first_covered_and_then_black_is_one_after_the_other() -> None:
    found = deeds(entry(14, "background_test", "picture_covered", None, since_ns=mono(10)),
                  entry(18, "background_test", "picture_black", None, since_ns=mono(15)),
                  entry(25, "background_test", "picture_works", None))  # fmt: skip
    assert found == [(10.0, "fault camera.covered for 4.7 s"), (15.0, "fault camera.black for 7.2 s")]


def test_a_failure_that_nobody_saw_end_lasts() -> None:
    assert deeds(entry(13, "failure_began", "microphone_silent", 1)) == [(9.0, "fault microphone.silent")]


def test_lost_frames_are_lost_again() -> None:
    assert deeds(entry(13, "failure_began", "frames_lost", 1, frames=7, start_ns=mono(12))) == [
        (12.0, "fault camera.drop_frames 7 frames")
    ]


def test_power_that_went_is_cut_and_the_night_is_told_and_not_waited_for() -> None:
    night = [entry(10, "recording_opened", None, 1, trigger="record_button", kind="record_button", at_ns=mono(10)),
             entry(5, "boot", boot=1, utc_s=36_000), entry(9, "docked", boot=1, utc_s=36_004)]  # fmt: skip
    found = planned(*night).happenings
    assert [(round(one.at_s, 1), one.text) for one in found[1:]] == [
        (11.5, "the camera was off for 600 minutes by its own clock; here for a moment"),
        (11.5, "power cut"),
        (16.9, "dock"),
    ]


def test_a_camera_that_was_switched_off_in_order_is_switched_off_in_order() -> None:
    assert deeds(entry(10, "shutdown"), entry(12, "boot", boot=1)) == [(10.3, "fault process.restart_device")]


def test_what_cannot_be_played_stands_as_a_comment_with_its_time() -> None:
    written = text_of(
        entry(1, "docked"), entry(65, "malfunction", "button"), entry(70, "failure_began", "storage_hm", 1)
    )
    assert "# 1:05 not played: malfunction button\n" in written
    assert "# 1:10 not played: the camera told of storage_hm\n" in written


# --- the scenario -----------------------------------------------------------------------------------------------------


def test_the_scenario_waits_for_what_the_camera_did_then(tmp_path: Path) -> None:
    path = tmp_path / "replay.toml"
    category = {"name": "prisoner_transport", "label": 'Prisoner "transport"'}
    path.write_text(text_of(
        entry(2, "self_test", "pass"),
        entry(10, "recording_opened", None, 1, trigger="record_button", kind="record_button", at_ns=mono(10),
              profile={"v": 1, "name": "p", "version": 3, "pre_event_s": 5, "categories": [category]}),
        entry(12, "failure_began", "picture_black", 1, start_ns=mono(10.5)),
        entry(20, "recording_closed", "battery_empty", 1),
    ), encoding="utf-8")  # fmt: skip
    scenario = load_scenario(path)
    assert scenario.profile["categories"] == [category]
    assert scenario.profile["pre_event_s"] == 5
    assert scenario.steps[0].state == "self-test done"
    expected = [one.text for step in scenario.steps for one in step.expect]
    assert expected == [
        "recording within 6 s",
        "log failure_began picture_black within 15 s",
        "stopped within 6 s",
    ]
    assert scenario.steps[-1].at_s == 20


def test_only_what_delays_no_deed_is_waited_for_in_the_log() -> None:
    written = text_of(entry(1, "docked"), entry(9.5, "undocked"), entry(10, "reminded", "reactivation"),
                      entry(30, "reminded", "reactivation"), entry(50, "docked"))  # fmt: skip
    assert written.count("expect log reminded") == 1
    assert "at 0:30 expect log reminded reactivation within 15 s" in written
    assert "at 0:09.5 expect undocked within 6 s" in written


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_log_is_verified_under_its_root(tmp_path: Path) -> None:
    log = read_log([LOG], Trust.load(VECTORS / "pki" / "root.pem"), None)
    assert (log.serial, log.warnings, log.details) == ("SIM-0001", (), False)
    torn = tmp_path / LOG.name
    torn.write_bytes(LOG.read_bytes().replace(b'"event":"', b'"event" "', 1))
    warned = read_log([torn], Trust.load(VECTORS / "pki" / "root.pem"), None).warnings
    assert warned
    assert all(one.startswith("NOT VALID: ") for one in warned)


def test_without_a_root_the_log_is_read_with_a_loud_word() -> None:
    log = read_log([LOG], None, None)
    assert log.warnings == (UNVERIFIED,)
    assert len(log.entries) == len(read_log([LOG], Trust.load(VECTORS / "pki" / "root.pem"), None).entries)
    assert "NOT VERIFIED" in scenario_text(log, plan(log.entries, frozenset(), details=False))


def test_the_vaults_key_opens_the_details(tmp_path: Path) -> None:
    key = tmp_path / "vault.key"
    key.write_bytes((VECTORS / "pki" / "TEST-ONLY-vault.key").read_bytes())
    key.chmod(0o600)
    vault = Vault.load(VECTORS / "pki" / "vault.pem", key)
    places = [LOG, *sorted(VECTORS.glob("SIM-0001-0*.evidence"))]
    log = read_log(places, Trust.load(VECTORS / "pki" / "root.pem"), vault)
    assert any(one.details for one in log.entries)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (VECTORS / "SIM-0001-000001.evidence", "no device log is among these files"),
        (VECTORS / "README.md", "these files hold no evidence"),
        (VECTORS / "nothing", "no such file"),
    ],
)
@pytest.mark.parametrize("verified", [True, False])
def test_what_is_no_log_is_refused(place: Path, why: str, *, verified: bool) -> None:
    with pytest.raises(BadInput, match=why):
        read_log([place], Trust.load(VECTORS / "pki" / "root.pem") if verified else None, None)


def test_another_camera_is_not_found() -> None:
    with pytest.raises(BadInput, match="nothing here is of camera X-1; there are SIM-0001"):
        read_log([LOG], None, None, "X-1")


# --- comparing --------------------------------------------------------------------------------------------------------


SHIFT = (entry(1, "recording_opened", None, 1), entry(1, "state", "recording"), entry(5, "muted", None, 1),
         entry(9, "recording_closed", "record_button", 1), entry(9, "state", "ready"), entry(9, "wear"))  # fmt: skip


def test_two_logs_are_alike_if_each_track_is(tmp_path: Path) -> None:
    swapped = [SHIFT[index] for index in (1, 0, 2, 4, 3)]
    found = compared(SHIFT, swapped)
    assert found.alike
    assert (found.same, found.before, found.after) == (5, 5, 5)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (SHIFT[:3], ("recordings, after 1 entry: does not come any more: recording closed record button",
                     "states, after 1 entry: does not come any more: state ready")),
        ((*SHIFT, entry(9.5, "failure_began", "picture_black", 1)),
         ("failures, after 0 entries: is new: failure began picture black",)),
        ((*SHIFT[:3], entry(9, "recording_closed", "battery_empty", 1), *SHIFT[4:]),
         ("recordings, after 1 entry: instead of recording closed record button came recording closed battery empty",)),
    ],
)  # fmt: skip
def test_a_replay_that_does_otherwise_is_told_in_words(after: Sequence[Entry], said: tuple[str, ...]) -> None:
    assert compared(SHIFT, after).differences == said


# --- with a real camera -----------------------------------------------------------------------------------------------

SCENARIO = """
title = "To be replayed"
script = '''
at 0:03 light bar on
at 0:04 expect recording within 5 s
fault camera.encoder_stall for 3 s
at 0:10 light bar off
at 0:10.5 hold record button
expect stopped within 5 s
'''
[profile]
pre_event_s = 2
confirm_stop_s = 0
stop_reason_s = 0
[camera]
width = 160
height = 96
frame_rate = 10
"""


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *words], capture_output=True, text=True, timeout=800, check=False
    )


@pytest.mark.requirement("R29")
def test_a_replay_of_a_shift_logs_the_same_in_order(tmp_path: Path) -> None:
    scenario, first, replay = tmp_path / "shift.toml", tmp_path / "first", tmp_path / "replay.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    virtual = "--deterministic"
    command("shift", str(scenario), "--out", str(first), virtual)  # what it leaves on the camera is no fault here
    pki = first / "pki"
    keys = ("--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key"))
    done = command("replay", str(first / "camera" / "spool"), "--root", str(pki / "root.pem"), *keys,
                   "--out", str(replay), "--run", str(tmp_path / "again"), virtual)  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "OK: the replay did the same" in done.stdout
    written = replay.read_text(encoding="utf-8")
    for wanted in ("light bar on", "fault camera.encoder_stall for", "light bar off", "hold record button"):
        assert wanted in written

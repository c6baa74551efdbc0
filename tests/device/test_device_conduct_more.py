"""Corners of an officer's shift, in virtual time: where hands are quick or slow, and things come together (R13-28)."""

from __future__ import annotations

import pytest
from paper_camera import SECOND, PaperCamera, recording, stop

from device.indicators import ALARM
from device.states import Event, State
from device.stopping import REASONS
from device.triggers import LineFault

# --- peers (R23) ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R23", "R14")
def test_a_trigger_that_joins_a_running_recording_starts_the_peers_too() -> None:
    camera = recording()
    camera.trigger("pursuit")
    assert camera.announced == [("record_button", "PAPER-000001"), ("pursuit", "PAPER-000001")]
    camera.line("pursuit", active=False)
    camera.wait(1)
    camera.trigger("pursuit")
    assert len(camera.announced) == 2, "the recording knows it already"


@pytest.mark.requirement("R23")
def test_a_peers_start_names_its_incident_in_a_recording_that_runs_already() -> None:
    camera = recording()
    camera.message("peer", "SIM-0002-000042")
    camera.message("peer", "SIM-0002-000042")
    camera.message("peer", "SIM-0003-000007")
    triggers = camera.recorder.recordings[0].triggers
    assert [one.get("incident") for one in triggers] == [None, "SIM-0002-000042", "SIM-0003-000007"]


@pytest.mark.requirement("R23")
def test_without_a_confirmation_a_peers_false_start_is_cancelled_by_the_hold_alone() -> None:
    camera = PaperCamera(confirm_stop_s=0)
    camera.message("peer", "SIM-0002-000042")
    camera.wait(2)
    camera.press(seconds=3.3)
    ended = camera.recorder.recordings[0]
    assert (ended.reason, ended.extra["labels"]) == ("false_activation", ["false_activation"])
    assert camera.machine.state is State.READY


@pytest.mark.requirement("R23", "R28")
def test_a_cancelled_false_start_does_not_end_the_pause_that_it_interrupted() -> None:
    camera = recording()
    stop(camera)
    camera.conduct.give_reason("telephone", None)
    camera.wait(60)
    camera.message("peer", "SIM-0002-000042")
    stop(camera)
    assert camera.recorder.recordings[1].reason == "false_activation"
    camera.wait(600)
    assert camera.words("reminded"), "the interaction goes on: the officer is reminded as before"
    camera.double_press()
    link = camera.recorder.recordings[2].opening["after_pause"]
    assert (link["recording"], link["reason"]) == ("PAPER-000001", "telephone")


# --- the stop and its reason (R25, R26) -------------------------------------------------------------------------------


@pytest.mark.requirement("R26")
def test_what_is_said_while_muted_is_no_spoken_reason_since_the_recording_does_not_have_it() -> None:
    camera = recording(mute="static")
    camera.press("function", seconds=3.5)
    assert camera.machine.flags["muted"]
    for _ in range(100):
        camera.conduct.hear(-55.0, camera.now_ns, 21_000_000)
    stop(camera)
    for _ in range(60):
        camera.conduct.hear(-18.0, camera.now_ns, 42_000_000)
        camera.wait(0.1)
    camera.wait(12)
    ended = camera.recorder.recordings[0].extra
    assert ended["stop_reason"]["spoken"] is False
    assert camera.words("stop_reason") == ["reason_missing"]


@pytest.mark.requirement("R26", "R27")
def test_a_supervisor_hears_of_a_stop_without_a_reason_and_of_no_other() -> None:
    camera = recording()
    stop(camera)
    camera.wait(12)
    assert camera.notices.count(("reason_missing", None)) == 1
    camera.double_press()
    stop(camera)
    assert camera.conduct.give_reason("telephone", None)
    camera.wait(1)
    assert camera.notices.count(("reason_missing", None)) == 1


@pytest.mark.requirement("R26")
def test_quick_presses_step_the_reason_wheel_and_do_not_darken_the_camera() -> None:
    camera = recording()
    stop(camera)
    for _ in range(4):
        camera.press("function")
    camera.wait(4)
    assert camera.words("stop_reason") == [REASONS[3]]
    assert camera.words("stealth") == []


@pytest.mark.requirement("R31")
def test_quick_presses_step_the_category_wheel_and_do_not_darken_the_camera() -> None:
    camera = recording(stop_reason_s=0)
    stop(camera)
    camera.press("function")
    camera.press("function")
    camera.wait(10)
    assert camera.words("labelled") == ["use_of_force"]
    assert camera.words("stealth") == []


@pytest.mark.requirement("R26")
def test_an_officer_who_is_still_choosing_is_not_cut_off() -> None:
    camera = recording()
    stop(camera)
    for _ in range(11):
        camera.one_press("function")
    camera.wait(3)
    assert camera.words("stop_reason") == [REASONS[10]], "the eleventh press came after ten seconds"


@pytest.mark.requirement("R25")
def test_a_confirmation_in_the_last_moment_of_its_time_counts() -> None:
    camera = recording()
    camera.press(seconds=3.3)
    camera.wait(4.3)
    assert camera.machine.state is State.CONFIRMING_STOP
    camera.one_press()
    assert camera.machine.state is State.STATING_REASON


@pytest.mark.requirement("R25", "R16")
def test_a_slow_press_confirms_and_marks_like_a_quick_one() -> None:
    camera = recording()
    camera.press(seconds=1.5)
    camera.wait(1)
    assert camera.recorder.recordings[0].events == ["marker"]
    camera.press(seconds=3.3)
    camera.press(seconds=1.5)
    camera.wait(1)
    assert camera.machine.state is State.STATING_REASON


# --- mute (R24) -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R24", "R3")
def test_a_function_button_that_is_stuck_does_not_mute_for_ever() -> None:
    camera = recording()
    camera.line("function", active=True)
    camera.wait(599)
    assert camera.machine.flags["muted"], "a long private word"
    camera.wait(3)
    assert not camera.machine.flags["muted"]
    assert camera.words("line_fault") == ["stuck"]
    camera.line("function", active=False)
    camera.wait(1)
    camera.press("function", seconds=10)
    assert [kind for kind, _ in camera.recorder.mutes] == ["mute", "unmute", "mute", "unmute"], "let go, it works again"


# --- starts that are impossible or go wrong (R13, invariant 1) --------------------------------------------------------


@pytest.mark.requirement("R13", "R29")
def test_a_start_while_shutting_down_is_refused_loudly() -> None:
    camera = PaperCamera()
    camera.change(Event.SHUTDOWN)
    camera.double_press()
    assert camera.words("failure_to_record") == ["shutting_down"]
    assert ALARM in camera.signals.played
    assert ("alarm", "shutting_down") in camera.notices


@pytest.mark.requirement("R24", "R9")
def test_the_log_says_which_policy_suppressed_a_trigger() -> None:
    camera = PaperCamera(triggers_when_out_of_service=False)
    camera.change(Event.SELF_TEST_BEGAN)
    camera.change(Event.SELF_TEST_DONE, blocked=True)
    camera.change(Event.SLEEP_ASKED)
    camera.trigger("lightbar")
    camera.trigger("pursuit")
    assert camera.words("suppressed") == ["asleep", "out_of_service"], "the pursuit would have woken it"


@pytest.mark.requirement("R13", "R29")
def test_a_start_that_fails_inside_is_told_and_the_next_one_records() -> None:
    camera = PaperCamera()
    camera.recorder.fails = 2
    camera.double_press()
    assert camera.recorder.session is None
    assert camera.machine.state is State.READY, "no state without a way out"
    assert camera.words("failure_to_record") == ["start_failed"]
    assert ALARM in camera.signals.played
    camera.double_press()
    assert camera.recorder.session is not None
    assert camera.machine.state is State.RECORDING


@pytest.mark.requirement("R13")
def test_metadata_that_cannot_be_had_costs_no_recording() -> None:
    camera = PaperCamera()
    camera.recorder.fails = 1
    camera.double_press()
    assert camera.machine.state is State.RECORDING
    (session,) = camera.recorder.recordings
    assert session.opening == {"opening_failed": "RuntimeError: on purpose"}
    assert camera.words("recording_opened") == [None]


@pytest.mark.requirement("R14")
def test_a_critical_trigger_in_a_normal_recording_makes_it_critical() -> None:
    camera = PaperCamera()
    camera.trigger("lightbar")
    assert camera.urgent == []
    camera.trigger("pursuit")
    assert camera.urgent == ["PAPER-000001"]


@pytest.mark.requirement("R21")
def test_nothing_that_a_line_does_while_it_is_faulty_stops_a_recording() -> None:
    camera = recording()
    for fault in ("chatter", "stuck"):
        for line in ("record_button", "function", "lightbar"):
            camera.gestures.act(LineFault(line, fault, camera.now_ns))
    camera.wait(60)
    assert camera.recorder.session is not None
    assert camera.recorder.recordings[0].started_ns < camera.now_ns - 60 * SECOND


@pytest.mark.requirement("R22", "R31", "R35")
def test_a_category_is_given_to_all_files_of_a_recording_that_went_on() -> None:
    camera = recording(stop_reason_s=0)
    session = camera.recorder.session
    assert session is not None
    session.earlier = ((98, "PAPER-000098"), (99, "PAPER-000099"))
    stop(camera)
    camera.one_press("function")
    camera.wait(10)
    labelled = [(word, number) for event, word, number in camera.logged if event == "labelled"]
    assert labelled == [("arrest_search", 98), ("arrest_search", 99), ("arrest_search", 1)]

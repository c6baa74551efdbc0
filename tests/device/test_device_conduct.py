"""The officer's gestures from start to stop: what the camera does, in virtual time (D.2, D.3)."""

from __future__ import annotations

from asyncio import run

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from paper_camera import INPUTS, SECOND, PaperCamera, recording, stop

from device.indicators import REFUSED, WHEEL
from device.pauses import Pauses
from device.states import Event, State
from device.stopping import D3A_REASONS, ENDED, REASONS, VoiceHeard
from evidence.handover import Done, Refused
from evidence.requests import StopReasonRequest


@pytest.mark.requirement("R25")
def test_a_hold_without_a_confirmation_records_on() -> None:
    camera = recording()
    camera.press(seconds=3.5)
    assert camera.machine.state is State.CONFIRMING_STOP
    assert camera.recorder.session is not None
    camera.wait(5)
    assert camera.machine.state is State.RECORDING
    assert camera.recorder.recordings[0].events == ["stop_asked", "stop_withdrawn"]
    camera.wait(3600)
    assert camera.machine.state is State.RECORDING, "nothing but the officer ends it (R22)"


@pytest.mark.requirement("R26")
def test_a_confirmed_stop_records_ten_seconds_more_for_the_spoken_reason_and_flags_its_absence() -> None:
    camera = recording()
    stop(camera)
    assert camera.machine.state is State.STATING_REASON
    camera.wait(8)
    assert camera.recorder.session is not None
    camera.wait(2)
    assert camera.recorder.session is None
    ended = camera.recorder.recordings[0]
    assert (ended.reason, ended.extra["stop_reason_missing"]) == ("record_button", True)
    assert camera.words("stop_reason") == ["reason_missing"]


@pytest.mark.requirement("R26", "R27")
def test_a_spoken_reason_is_heard_and_ends_the_window_after_its_last_word() -> None:
    camera = recording()
    for _ in range(100):
        camera.conduct.hear(-55.0, camera.now_ns, 21_000_000)
    stop(camera)
    for _ in range(60):
        for part in range(4):
            camera.conduct.hear(-18.0, camera.now_ns + part * 25_000_000, 21_000_000)
        camera.wait(0.1)
    assert camera.machine.state is State.STATING_REASON, "nobody is cut off while speaking"
    camera.wait(2)
    assert camera.recorder.session is None
    reason = camera.recorder.recordings[0].extra
    assert reason["stop_reason"]["spoken"] is True
    assert reason["stop_reason_missing"] is False
    assert camera.words("stop_reason") == ["spoken"]


def test_a_click_each_second_is_no_voice_and_keeps_nobody_waiting_r26() -> None:
    camera = recording()
    stop(camera)
    for _ in range(11):
        camera.conduct.hear(-9.0, camera.now_ns, 64_000_000)
        camera.wait(1)
    assert camera.recorder.recordings[0].extra["stop_reason_missing"] is True
    assert camera.machine.state is State.READY


def test_longer_clicks_add_up_to_no_word_r26() -> None:
    voice = VoiceHeard()
    voice.listen()
    for second in range(12):
        voice.sound(-9.0, second * 10**9, 128_000_000)
    assert not voice.heard


def test_the_engine_is_no_voice_r26() -> None:
    voice = VoiceHeard()
    for n in range(200):
        voice.sound(-20.0, n, 21_000_000)
    voice.listen()
    for n in range(500):
        voice.sound(-18.0, n, 21_000_000)
    assert not voice.heard


def ask(camera: PaperCamera, code: str, supervisor: str | None = None) -> object:
    return run(camera.part(Pauses).answer(StopReasonRequest(code=code, supervisor=supervisor)))  # type: ignore[arg-type]


@pytest.mark.requirement("R24", "R25", "R28")
@pytest.mark.parametrize("code", D3A_REASONS)
def test_each_reason_of_d3a_pauses_reminds_and_links_what_comes_after(code: str) -> None:
    camera = recording()
    stop(camera)
    assert ask(camera, code, "consulted") == Done()
    assert camera.recorder.session is None
    assert camera.words("stop_reason") == [code]
    assert camera.words("paused") == [code]
    first = camera.recorder.recordings[0]
    assert first.extra["stop_reason"]["supervisor"] == "consulted"
    camera.wait(299)
    assert camera.words("reminded") == []
    camera.wait(602)
    assert camera.words("reminded") == ["reactivation"] * 3
    assert "reactivation" in camera.signals.on
    camera.double_press()
    link = camera.recorder.recordings[1].opening["after_pause"]
    assert (link["recording"], link["reason"]) == (first.file.stem, code)
    assert link["seconds"] > 900
    assert camera.words("reactivated") == [code]
    assert "reactivation" not in camera.signals.on


def test_an_ended_interaction_reminds_of_nothing_and_unknown_reasons_are_refused_r24() -> None:
    camera = recording()
    refused = ask(camera, "telephone")
    assert isinstance(refused, Refused)
    assert "no stop waits" in refused.error
    stop(camera)
    refused = ask(camera, "telefone")
    assert isinstance(refused, Refused)
    assert "did you mean 'telephone'" in refused.error
    assert ask(camera, ENDED) == Done()
    camera.wait(1000)
    assert camera.words("reminded") == []


def test_the_reason_wheel_counts_presses_of_the_function_button_r26() -> None:
    camera = recording()
    stop(camera)
    for _ in range(4):
        camera.one_press("function")
    camera.wait(3)
    assert camera.words("stop_reason") == [REASONS[3]]
    assert WHEEL(4) in camera.signals.played


@pytest.mark.requirement("R22")
def test_a_trigger_in_the_reason_window_withdraws_the_stop() -> None:
    camera = recording()
    stop(camera)
    camera.trigger("pursuit")
    assert camera.machine.state is State.RECORDING
    camera.wait(60)
    assert len(camera.recorder.recordings) == 1
    assert [one["name"] for one in camera.recorder.recordings[0].triggers] == ["record_button", "pursuit"]


@pytest.mark.requirement("R23")
def test_a_false_start_by_a_peer_is_cancelled_within_ten_seconds_and_kept() -> None:
    camera = PaperCamera()
    camera.message("peer", "OTHER-000007")
    camera.wait(2)
    assert camera.recorder.recordings[0].incident == "OTHER-000007"
    stop(camera)
    ended = camera.recorder.recordings[0]
    assert (ended.reason, ended.extra["labels"]) == ("false_activation", ["false_activation"])
    assert camera.words("labelled") == ["false_activation"]
    assert camera.machine.state is State.READY, "no reason is asked for"


def test_after_ten_seconds_or_with_another_trigger_it_is_no_false_start_r23() -> None:
    camera = PaperCamera()
    camera.message("peer")
    camera.wait(11)
    stop(camera)
    assert camera.machine.state is State.STATING_REASON
    camera = PaperCamera()
    camera.message("peer")
    camera.trigger("lightbar")
    stop(camera)
    assert camera.machine.state is State.STATING_REASON


@pytest.mark.requirement("R24", "R36")
def test_the_function_button_mutes_as_long_as_it_is_held_and_every_interval_is_logged() -> None:
    camera = recording()
    camera.press("function", seconds=10)
    camera.wait(1)
    (_, muted_ns), (_, unmuted_ns) = camera.recorder.mutes
    assert unmuted_ns - muted_ns == pytest.approx(7 * SECOND, abs=SECOND // 5), "3 s of hold come before it"
    assert [event for event, *_ in camera.logged if event.endswith("muted")] == ["muted", "unmuted"]
    assert camera.recorder.session is not None, "muting stops nothing"


def test_static_mute_is_toggled_and_mute_off_is_refused_r24() -> None:
    camera = recording(mute="static")
    camera.press("function", seconds=3.5)
    camera.wait(30)
    assert camera.machine.flags["muted"]
    assert "muted" in camera.signals.on
    camera.press("function", seconds=3.5)
    assert not camera.machine.flags["muted"]
    camera = recording(mute="off")
    camera.press("function", seconds=3.5)
    assert not camera.recorder.mutes
    assert REFUSED in camera.signals.played


def test_the_end_of_a_recording_ends_its_mute_r24() -> None:
    camera = recording(mute="static")
    camera.press("function", seconds=3.5)
    stop(camera)
    camera.wait(12)
    assert [kind for kind, _ in camera.recorder.mutes] == ["mute", "unmute"]


def asleep() -> PaperCamera:
    camera = PaperCamera()
    camera.press("function", seconds=3.2)
    camera.one_press("function")
    assert camera.machine.state is State.SLEEP
    return camera


@pytest.mark.requirement("R24", "R13")
def test_sleep_drops_the_ring_ignores_the_light_bar_and_ends_with_a_double_press() -> None:
    camera = asleep()
    assert not camera.recorder.ring
    camera.trigger("lightbar")
    assert camera.words("suppressed") == ["asleep"]
    camera.double_press()
    assert camera.machine.state is State.RECORDING
    assert camera.recorder.ring


def test_sleep_needs_a_press_after_the_hold_and_a_critical_trigger_wakes_r24() -> None:
    camera = PaperCamera()
    camera.press("function", seconds=3.2)
    camera.wait(4)
    assert camera.machine.state is State.READY
    camera = asleep()
    camera.trigger("pursuit")
    assert camera.machine.state is State.RECORDING


def test_holding_the_function_button_wakes_and_sleep_can_be_forbidden_r24() -> None:
    camera = asleep()
    assert "asleep" in camera.signals.on
    camera.press("function", seconds=3.2)
    assert camera.machine.state is State.READY
    assert camera.recorder.ring
    camera = PaperCamera(sleep_allowed=False)
    camera.press("function", seconds=3.2)
    camera.one_press("function")
    assert camera.machine.state is State.READY


@pytest.mark.requirement("R4", "R21")
def test_stealth_never_changes_the_recording_and_is_logged() -> None:
    camera = recording()
    camera.double_press("function")
    assert camera.signals.stealth
    assert camera.machine.state is State.RECORDING
    camera.line("dark", active=True)
    camera.wait(1)
    camera.line("dark", active=False)
    camera.wait(1)
    assert not camera.signals.stealth
    assert camera.words("stealth") == ["on", "off"]
    camera = recording(stealth_allowed=False)
    camera.double_press("function")
    assert not camera.signals.stealth


@pytest.mark.requirement("R16")
def test_single_presses_are_markers_and_end_nothing() -> None:
    camera = recording()
    camera.one_press()
    camera.one_press("function")
    assert camera.recorder.recordings[0].events == ["marker", "marker"]


@pytest.mark.requirement("R31")
def test_the_category_wheel_waits_eight_seconds_after_the_last_press() -> None:
    camera = recording(stop_reason_s=0)
    stop(camera)
    camera.one_press("function")
    camera.wait(5)
    camera.one_press("function")
    camera.wait(6)
    assert camera.words("labelled") == []
    camera.wait(3)
    assert camera.words("labelled") == ["use_of_force"]
    camera = recording(stop_reason_s=0)
    stop(camera)
    camera.wait(20)
    assert camera.words("labelled") == [], "uncategorised is visible and blocks nothing"


@pytest.mark.requirement("R17", "R20")
def test_an_input_gives_its_recordings_a_category() -> None:
    camera = PaperCamera()
    camera.trigger("door")
    assert camera.words("labelled") == ["prisoner_transport"]


def test_a_full_card_refuses_loudly_and_the_state_stays() -> None:
    camera = PaperCamera()
    camera.room = False
    camera.double_press()
    assert camera.machine.state is State.READY
    assert camera.words("failure_to_record") == ["storage_full"]


@pytest.mark.requirement("R22")
def test_post_event_time_is_recorded_before_the_end() -> None:
    camera = recording(stop_reason_s=0, post_event_s=30)
    stop(camera)
    assert camera.machine.state is State.POST_EVENT
    camera.wait(28)
    assert camera.recorder.session is not None
    camera.wait(3)
    assert camera.recorder.session is None


class AnyShift(RuleBasedStateMachine):
    """Any hands, lines, messages and faults, in any order: no trigger is lost, no recording ends without a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.camera = PaperCamera(post_event_s=2)

    @rule(name=st.sampled_from([name for name, one in INPUTS.items() if one.source == "line"]), active=st.booleans())
    def edge(self, name: str, active: bool) -> None:
        self.camera.line(name, active=active)

    @rule(seconds=st.sampled_from([0.05, 0.3, 1, 3.2, 6, 12, 400]))
    def wait(self, seconds: float) -> None:
        self.camera.wait(seconds)

    @rule()
    def start(self) -> None:
        self.camera.double_press()

    @rule()
    def stop(self) -> None:
        stop(self.camera)

    @rule(name=st.sampled_from(["record_button", "function"]), seconds=st.sampled_from([0.1, 3.3, 5]))
    def press(self, name: str, seconds: float) -> None:
        self.camera.press(name, seconds)

    @rule()
    def peer(self) -> None:
        self.camera.message("peer")

    @rule(blocked=st.booleans())
    def self_test(self, blocked: bool) -> None:
        self.camera.change(Event.SELF_TEST_BEGAN)
        self.camera.change(Event.SELF_TEST_DONE, blocked=blocked)

    @rule(event=st.sampled_from([Event.UPDATE_BEGAN, Event.UPDATE_ENDED]))
    def update(self, event: Event) -> None:
        self.camera.change(event)

    @rule(reason=st.sampled_from(["storage_full", "battery_empty"]))
    def cannot_go_on(self, reason: str) -> None:
        self.camera.conduct.stop(reason)

    @rule()
    def officer_speaks(self) -> None:
        self.camera.conduct.hear(-10.0, self.camera.now_ns, SECOND)

    @invariant()
    def the_state_is_that_of_the_recorder(self) -> None:
        assert self.camera.machine.recording == (self.camera.recorder.session is not None)

    @invariant()
    def every_start_is_accounted_for(self) -> None:
        """Each began a recording, was told to the running one, or stands in the log as suppressed."""
        camera = self.camera
        begun = len(camera.recorder.recordings)
        assert begun + camera.recorder.added + len(camera.words("suppressed")) == camera.starts
        assert len(camera.words("recording_opened")) == begun

    @invariant()
    def every_end_has_a_reason(self) -> None:
        for one in self.camera.recorder.recordings:
            if one is not self.camera.recorder.session:
                assert one.reason in ("record_button", "false_activation", "storage_full", "battery_empty")
                assert "stop_reason" in one.extra or one.reason != "record_button"

    @invariant()
    def flags_follow_the_recording(self) -> None:
        if not self.camera.machine.recording:
            assert not self.camera.machine.flags["muted"]
        if self.camera.machine.state is not State.SLEEP:
            assert self.camera.recorder.ring

    @invariant()
    def a_state_that_ends_by_itself_has_a_deadline(self) -> None:
        limited = self.camera.machine.limits.of(self.camera.machine.state)
        assert (limited is not None) == (self.camera.machine.deadline_ns() is not None)

    def teardown(self) -> None:
        """From wherever it is, two presses record."""
        camera = self.camera
        for name, one in INPUTS.items():
            if one.source == "line":
                camera.line(name, active=False)
        camera.wait(30)
        camera.double_press()
        assert camera.machine.recording


AnyShift.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyShift = AnyShift.TestCase


@pytest.mark.requirement("R31")
def test_a_category_stands_once_for_each_file_of_a_recording_that_went_on() -> None:
    camera = recording()
    session = camera.recorder.session
    assert session is not None
    session.earlier = ((98, "PAPER-000098"),)
    incident = [(98, "PAPER-000098"), (session.file.number, session.file.stem)]
    camera.recorder.same_incident = lambda number: incident  # type: ignore[method-assign]  # as after a roll-over
    stop(camera)
    camera.wait(12)
    camera.one_press("function")
    camera.wait(10)
    labelled = [number for event, _, number in camera.logged if event == "labelled"]
    assert sorted(filter(None, labelled)) == sorted({98, session.file.number})


def test_a_reason_that_nobody_asked_for_is_not_missing_r26() -> None:
    camera = recording(stop_reason_s=0)
    stop(camera)
    assert camera.words("stop_reason") == ["not_asked"]
    assert camera.recorder.recordings[0].extra["stop_reason_missing"] is False


@pytest.mark.requirement("R8")
def test_a_camera_undocked_in_mid_recording_is_tested_when_the_recording_is_over() -> None:
    camera = PaperCamera(stop_reason_s=0)
    camera.line("dock", active=True)
    camera.wait(1)
    camera.double_press()
    camera.line("dock", active=False)
    camera.wait(1)
    assert camera.examined == 0
    stop(camera)
    assert camera.examined == 1


@pytest.mark.requirement("R15", "R28")
def test_a_light_bar_that_is_still_on_when_the_camera_wakes_records() -> None:
    camera = asleep()
    camera.trigger("lightbar")
    assert camera.words("suppressed") == ["asleep"]
    camera.press("function", seconds=3.2)
    assert camera.machine.state is State.RECORDING
    assert [one["name"] for one in camera.recorder.recordings[0].triggers] == ["lightbar"]
    camera = asleep()
    camera.trigger("lightbar")
    camera.line("lightbar", active=False)
    camera.wait(1)
    camera.press("function", seconds=3.2)
    assert camera.machine.state is State.READY, "it is over"


@pytest.mark.requirement("R9")
def test_an_override_lets_a_barred_line_that_is_still_active_record() -> None:
    camera = PaperCamera(triggers_when_out_of_service=False)
    camera.change(Event.SELF_TEST_BEGAN)
    camera.change(Event.SELF_TEST_DONE, blocked=True)
    camera.trigger("pursuit")
    assert camera.words("suppressed") == ["out_of_service"]
    camera.change(Event.VERDICT_CHANGED, blocked=False)
    assert camera.machine.state is State.RECORDING

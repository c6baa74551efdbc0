"""Ignition off stops nothing (R17): the camera runs on for its hold-up, then ends in order once nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from camera_bench import DOCK, EMERGENCY, PURSUIT, RECORD, SECOND, CameraBench, boottime_ns, until
from hypothesis import given
from hypothesis import strategies as st

from device.hold_up import AFTER_RECORDING_NS, HoldUpTimer
from device.service import EXIT_POWER_OFF

IGNITION = 21
HOLD_S = 60


def minutes(timer: HoldUpTimer, *rows: tuple[int, bool, bool]) -> list[str | None]:
    """What the timer says at each row of (second, ignition, busy)."""
    return [timer.look(at * SECOND, ignition=ignition, busy=busy) for at, ignition, busy in rows]


@pytest.mark.requirement("R17")
def test_the_camera_goes_off_one_hold_up_after_the_ignition() -> None:
    rows = [(0, True, False), (10, False, False), (69, False, False), (70, False, False), (71, False, False)]
    assert minutes(HoldUpTimer(HOLD_S * SECOND), *rows) == ["on", "off", None, "over", None]


@pytest.mark.requirement("R17")
def test_a_recording_is_never_ended_by_it_and_leaves_time_to_say_what_it_was() -> None:
    rows = [(0, True, True), (10, False, True), (500, False, True), (529, False, False), (530, False, False)]
    assert minutes(HoldUpTimer(HOLD_S * SECOND), *rows) == ["on", "off", None, None, "over"]


def test_the_ignition_coming_back_begins_anew() -> None:
    rows = [(0, True, False), (10, False, False), (60, True, False), (80, False, False), (130, False, False)]
    assert minutes(HoldUpTimer(HOLD_S * SECOND), *rows) == ["on", "off", "on", "off", None]


def test_a_camera_that_starts_with_the_ignition_off_counts_from_its_start() -> None:
    rows = [(5, False, False), (64, False, False), (65, False, False)]
    assert minutes(HoldUpTimer(HOLD_S * SECOND), *rows) == [None, None, "over"]


def test_a_short_hold_up_is_not_made_longer_by_the_time_after_a_recording() -> None:
    rows = [(0, True, True), (10, False, True), (11, False, True), (15, False, False), (16, False, False)]
    assert minutes(HoldUpTimer(5 * SECOND), *rows) == ["on", "off", None, None, "over"]


@given(st.integers(0, 3600), st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.booleans()), max_size=60))
def test_it_is_over_only_with_the_ignition_off_for_the_whole_time_and_nothing_recorded(
    hold_s: int, rows: list[tuple[int, bool, bool]]
) -> None:
    timer, now_s, off_s, busy_s = HoldUpTimer(hold_s * SECOND), 0, 0, -(10**6)
    before: bool | None = None
    for passed_s, ignition, busy in rows:
        now_s += passed_s
        if before is not False and not ignition:
            off_s = now_s
        before, busy_s = ignition, now_s if busy else busy_s
        if timer.look(now_s * SECOND, ignition=ignition, busy=busy) == "over":
            assert not ignition
            assert not busy
            assert now_s - off_s >= hold_s
            assert now_s - busy_s >= min(hold_s, AFTER_RECORDING_NS // SECOND)


def wired() -> dict[str, Any]:
    """A vehicle's camera with an ignition line."""
    pins = {"record_button": RECORD, "emergency": EMERGENCY, "pursuit": PURSUIT, "dock": DOCK, "ignition": IGNITION}
    return {
        "role": "dash",
        "vehicle": "CT-4711",
        "switches": {"driver": "gpiozero", "options": {"lines": {name: {"pin": pin} for name, pin in pins.items()}}},
        "inputs": {
            "record_button": {"kind": "record_button"},
            "emergency": {"kind": "emergency_button"},
            "pursuit": {"kind": "pursuit"},
            "ignition": {"kind": "ignition"},
            "dock": {"kind": "dock"},
        },
    }


@pytest.mark.requirement("R17")
def test_the_ignition_goes_off_half_a_second_after_the_trigger_and_the_camera_records_on(
    bench: Callable[..., CameraBench],
) -> None:
    camera = bench(policy={"ignition_hold_up_s": 10}, extra=wired())
    camera.start(ready=False)
    camera.line(IGNITION, active=True)
    camera.wait("ignition", "on")
    until(lambda: camera.status().self_test is not None and (camera.status().buffered_s or 0) >= 2, what="ready")
    began_ns = boottime_ns()
    stem = camera.trigger(PURSUIT)
    until(lambda: boottime_ns() - began_ns > SECOND // 2)
    camera.line(IGNITION, active=False)
    camera.wait("ignition", "off")
    camera.fragments(12)
    assert camera.status().recording == stem, "longer than the hold-up"
    camera.hold_to_stop()
    camera.wait("hold_up_over")
    assert camera.process is not None
    assert camera.process.wait(60) == EXIT_POWER_OFF
    camera.verify(stem)
    events = [(event, word) for event, word, _ in camera.events()]
    assert events.index(("ignition", "off")) < events.index(("recording_closed", "record_button"))
    assert events[-1][0] == "shutdown"

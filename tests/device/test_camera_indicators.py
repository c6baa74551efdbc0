"""The indicators of the real daemon on simulated pins: what an officer sees and feels (R4, R21, R22)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from camera_bench import AMBER, DOCK, GREEN, HAPTIC, RED, CameraBench, boottime_ns, until, watch

from device.night import DIMMED

Make = Callable[..., CameraBench]


def levels(seen: list[dict[str, Any]], pin: int) -> list[float]:
    """Every level that a pin took, in order."""
    return [one["level"] for one in list(seen) if one.get("pin") == pin]


def pulses(seen: list[dict[str, Any]], pin: int, since_ns: int = 0) -> int:
    """From that moment of the camera's clock on: what was sent before it may come after whatever else was told."""
    return sum(level > 0 for level in levels([one for one in list(seen) if one.get("at_ns", 0) > since_ns], pin))


@pytest.mark.requirement("R22")
def test_a_recording_is_seen_and_felt_and_a_low_battery_does_not_hide_it(bench: Make) -> None:
    camera = bench(battery_percent=80).start()
    with watch(camera) as seen:
        until(lambda: pulses(seen, GREEN) >= 2, what="green blinks while it is ready")
        camera.double_press()
        until(lambda: pulses(seen, HAPTIC) >= 2, what="two short ones")
        until(lambda: pulses(seen, RED) >= 2, what="red blinks")
        seen.clear()
        camera.battery.set(percent=6, load_ma=500)  # 14 minutes to the switch-off
        camera.wait("battery", "low")
        until(lambda: pulses(seen, HAPTIC) >= 4, what="four short ones")
        warned_ns = boottime_ns()
        until(
            lambda: pulses(seen, AMBER, warned_ns) >= 2 and pulses(seen, RED, warned_ns) >= 2,
            what="amber warns, red still records",
        )
        assert pulses(seen, GREEN, warned_ns) == 0
        camera.battery.set(percent=80, status="charging")
        camera.wait("battery", "good")
        until(lambda: camera.pins()[AMBER] == 0 and camera.status().battery_percent == 80)
        camera.fragments(1)  # the lamps follow what was told within a moment
        good_ns = boottime_ns()
        until(lambda: pulses(seen, RED, good_ns) >= 3, what="it records on")
        assert pulses(seen, AMBER, good_ns) == 0, "the warning is over"
    camera.stop()


@pytest.mark.requirement("R21")
def test_lamps_are_dimmed_at_night_and_the_motor_is_not(bench: Make) -> None:
    hour = dt.datetime.now(dt.UTC).hour
    camera = bench(policy={"zone": "UTC", "dim_from_h": hour, "dim_until_h": (hour + 3) % 24}).start()
    with watch(camera) as seen:
        until(lambda: pulses(seen, GREEN), what="green blinks")
        assert {level for level in levels(seen, GREEN) if level} == {DIMMED}
        camera.double_press()
        until(lambda: pulses(seen, HAPTIC) >= 2, what="two short ones")
        assert {level for level in levels(seen, HAPTIC) if level} == {1}
    camera.stop()


def test_a_clock_that_nobody_vouches_for_is_told_and_the_camera_records(bench: Make) -> None:
    camera = bench().start()
    with watch(camera) as seen:
        camera.world({"op": "clock", "source": "none"})
        until(lambda: pulses(seen, HAPTIC) >= 5, what="five short ones")
        camera.double_press()
        camera.fragments(1)
    camera.stop()


def test_in_the_dock_it_is_green_only_when_charged_and_offloaded(bench: Make) -> None:
    camera = bench(policy={"dim_from_h": 0, "dim_until_h": 0}, battery_percent=100).start()
    camera.battery.set(percent=100, status="full")
    camera.line(DOCK, active=True)
    camera.wait("docked")
    until(lambda: (camera.pins()[GREEN], camera.pins()[AMBER]) == (1, 0), what="green, steadily")
    with watch(camera) as seen:
        camera.battery.set(percent=50, status="charging")
        until(lambda: pulses(seen, AMBER) >= 1, what="amber while it is charged")
    until(lambda: camera.pins()[GREEN] == 0, what="no green beside it")
    camera.stop()

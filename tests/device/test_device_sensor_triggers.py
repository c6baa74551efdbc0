"""Speed and crash (R14, R18): pure, with the time given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sensor_triggers import CrashTrigger, SpeedTrigger
from hal.motion import Acceleration

SECOND = 10**9


def drive(*speeds: float | None, hold_s: int = 5) -> list[int]:
    """One epoch a second; the seconds at which it fired."""
    trigger = SpeedTrigger(100, hold_s * SECOND)
    return [second for second, speed in enumerate(speeds) if trigger.look(speed, second * SECOND)]


@pytest.mark.requirement("R14")
def test_two_fixes_over_the_threshold_start_once() -> None:
    assert drive(50, 99, 100, 101, 120, 130) == [3]


def test_one_jump_of_the_receiver_starts_nothing_r14() -> None:
    assert drive(50, 250, 50, 50, 250, 49) == []


def test_a_short_loss_of_the_fix_is_held_and_a_long_one_is_not_r14() -> None:
    assert drive(90, 105, None, None, 105, hold_s=5) == [4]
    assert drive(90, 105, None, None, None, None, None, None, 105, 105, hold_s=3) == [9]


def test_it_is_armed_again_only_well_below_the_threshold_r14() -> None:
    assert drive(105, 105, 95, 105, 105) == [1]
    assert drive(105, 105, 79, 105, 105) == [1, 4]


def shake(*peaks_mg: int, rate_ms: int = 20) -> list[int]:
    trigger = CrashTrigger(3500)
    samples = [Acceleration(peak, 1000, 0, n * rate_ms * 1_000_000) for n, peak in enumerate(peaks_mg)]
    return [n for n, sample in enumerate(samples) if trigger.look(sample)]


@pytest.mark.requirement("R18")
def test_a_crash_is_two_hard_samples_running() -> None:
    assert shake(0, 5000, 5200, 0) == [2]
    assert shake(0, 9000, 0, 9000, 0) == [], "a spike on the bus"
    assert shake(0, 2000, 2500, 2200, 2000) == [], "a kerb"


def test_running_alone_starts_nothing_until_its_false_starts_are_measured_r19() -> None:
    """Steps of 2.5 g three times a second for a minute; the ring holds what came before a press."""
    steps = [2500 if n % 17 < 4 else 300 for n in range(3000)]
    assert shake(*steps) == []


def test_a_rolling_car_is_one_crash_in_five_seconds_r18() -> None:
    assert shake(*[6000] * 240) == [1]
    assert len(shake(*[6000] * 300)) == 2


@given(st.lists(st.one_of(st.none(), st.floats(0, 400)), max_size=50))
def test_any_speeds_fire_only_at_or_over_the_threshold(speeds: list[float | None]) -> None:
    for second in drive(*speeds):
        speed = speeds[second]
        assert speed is not None
        assert speed >= 100

"""What an accelerometer feels, held against what the camera makes of it: every pattern, any seed and rate."""

from __future__ import annotations

import itertools
import math

import pytest

from device.gravity import Fall, Gravity
from device.policy import Profile
from device.sensor_triggers import CrashTrigger
from hal.motion import Acceleration
from simulator.drivers.hardware_messages import MotionOp, OpRefused
from simulator.drivers.motion import moved
from simulator.movement import PATTERNS, REST_MG, Movement, Mover, Pattern

SECOND = 10**9
THRESHOLD_MG = Profile(v=1, name="test", version=1).crash_trigger_mg
RATES = (10, 25, 50, 100, 200)
SEEDS = range(6)


def samples(pattern: Pattern, seed: int, rate: int, seconds: float, worn_s: float = 2.0) -> list[Acceleration]:
    """The camera is worn upright for `worn_s`, then moved so."""
    mover = Mover()
    mover.move(Movement(pattern, seed), int(worn_s * SECOND) - 1, None)
    felt = []
    for number in range(int((worn_s + seconds) * rate)):
        at_ns = number * SECOND // rate
        mg = REST_MG if at_ns < worn_s * SECOND else mover.sample_mg(at_ns)
        felt.append(Acceleration(*mg, at_ns))
    return felt


def crashes(felt: list[Acceleration]) -> int:
    trigger = CrashTrigger(THRESHOLD_MG)
    return sum(trigger.look(one) for one in felt)


def falls(felt: list[Acceleration]) -> int:
    fall = Fall()
    return sum(fall.add(one) for one in felt)


def magnitude(one: Acceleration) -> float:
    return math.hypot(one.x_mg, one.y_mg, one.z_mg)


@pytest.mark.requirement("R18")
@pytest.mark.parametrize("rate", [25, 50, 100, 200])
def test_every_crash_is_a_crash_to_the_camera_and_only_one(rate: int) -> None:
    assert [crashes(samples("crash", seed, rate, 8)) for seed in SEEDS] == [1] * len(SEEDS)


@pytest.mark.requirement("R18", "R19")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pattern", ["walk", "run", "struggle", "drive", "lies", "hangs", "rest", "fall"])
def test_nothing_else_is_a_crash(pattern: Pattern, rate: int) -> None:
    assert all(crashes(samples(pattern, seed, rate, 12)) == 0 for seed in SEEDS)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("rate", RATES)
def test_a_camera_that_falls_off_is_noticed_once(rate: int) -> None:
    assert [falls(samples("fall", seed, rate, 12)) for seed in SEEDS] == [1] * len(SEEDS)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("pattern", ["walk", "run", "struggle", "drive", "crash", "lies", "hangs"])
def test_a_worn_camera_never_counts_as_fallen_off(pattern: Pattern) -> None:
    assert all(falls(samples(pattern, seed, rate, 12)) == 0 for seed, rate in itertools.product(SEEDS, (10, 50, 200)))


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_only_a_hanging_camera_is_upside_down(pattern: Pattern) -> None:
    for seed in SEEDS:
        gravity = Gravity()
        for one in samples(pattern, seed, 50, 20):
            gravity.add(one)
        assert (gravity.upside_down_since_ns is not None) == (pattern == "hangs")


def test_a_run_is_harder_than_a_walk_and_a_struggle_is_not_periodic() -> None:
    def size(pattern: Pattern) -> float:
        felt = samples(pattern, 1, 100, 20, worn_s=0)
        return sum(abs(magnitude(one) - 1000) for one in felt) / len(felt)

    assert 20 < size("drive") < size("walk") < size("run") / 2
    assert size("struggle") > size("walk") * 1.5


@pytest.mark.parametrize("pattern", ["walk", "run", "struggle", "drive"])
def test_what_moves_on_foot_or_wheels_has_gravity_in_the_mean(pattern: Pattern) -> None:
    felt = samples(pattern, 2, 50, 60, worn_s=0)
    assert sum(one.y_mg for one in felt) / len(felt) == pytest.approx(1000, abs=250)


def test_the_same_seed_is_the_same_movement_at_any_rate_and_another_seed_is_not() -> None:
    fast, slow = samples("struggle", 3, 200, 5, 0), samples("struggle", 3, 10, 5, 0)
    assert slow == [one for one in fast if one.at_ns % (SECOND // 10) == 0]
    assert samples("run", 3, 50, 5) == samples("run", 3, 50, 5) != samples("run", 4, 50, 5)


def test_a_movement_ends_by_itself_and_a_push_is_what_it_was() -> None:
    mover = Mover()
    moved(mover, MotionOp(pattern="run", seed=7, for_s=2), SECOND)
    assert mover.sample_mg(2 * SECOND) != REST_MG
    assert mover.sample_mg(3 * SECOND) == REST_MG
    moved(mover, MotionOp(x_mg=6000, for_s=0.5), SECOND)
    assert mover.sample_mg(SECOND) == (6000, 1000, 0)
    assert mover.sample_mg(2 * SECOND) == REST_MG


def test_a_pattern_and_a_push_at_once_are_refused() -> None:
    with pytest.raises(OpRefused, match="leave one of them out"):
        moved(Mover(), MotionOp(pattern="run", x_mg=50), 0)

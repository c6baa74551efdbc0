"""The camera's clock in the simulator: set, drifting, set again (R5)."""

from __future__ import annotations

import pytest

from hal import program_time
from simulator.drivers import simulated_time
from simulator.drivers.simulated_time import SimulatedTime

HOUR_NS = 3600 * 10**9
TRUE_NS = 1_800_000_000 * 10**9


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """`later(ns)` lets the host's clocks go on."""
    now = [50 * 10**9]
    monkeypatch.setattr(simulated_time, "boottime_ns", lambda: now[0])
    monkeypatch.setattr(program_time, "utc_ns", lambda: TRUE_NS + now[0])

    def go(ns: int) -> None:
        now[0] += ns

    return go


def error_ns(clock: SimulatedTime) -> int:
    return clock.utc_ns() - program_time.utc_ns()


@pytest.mark.requirement("R5")
def test_a_fast_crystal_gains_by_its_millionths_and_what_it_gained_stays(later) -> None:  # type: ignore[no-untyped-def]
    clock = SimulatedTime()
    clock.drift(100)
    assert error_ns(clock) == 0
    later(HOUR_NS)
    assert error_ns(clock) == HOUR_NS // 10_000
    clock.drift(-50)
    later(2 * HOUR_NS)
    assert error_ns(clock) == 0
    clock.drift(0)
    later(HOUR_NS)
    assert error_ns(clock) == 0


def test_who_sets_the_clock_takes_the_drift_so_far_away_and_not_the_drift(later) -> None:  # type: ignore[no-untyped-def]
    clock = SimulatedTime()
    clock.drift(20)
    later(10 * HOUR_NS)
    clock.set_offset(0)
    assert error_ns(clock) == 0
    later(HOUR_NS)
    assert error_ns(clock) == HOUR_NS // 50_000


def test_an_instant_that_has_passed_is_named_by_what_the_clock_says_now(later) -> None:  # type: ignore[no-untyped-def]
    clock = SimulatedTime()
    clock.drift(1000)
    later(HOUR_NS)
    at_ns = simulated_time.boottime_ns() - 5 * 10**9
    assert clock.utc_at_ns(at_ns) == clock.utc_ns() - 5 * 10**9

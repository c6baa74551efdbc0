"""The uplink's token bucket: the rate holds over any stretch of time, and a stop ends a wait at once."""

from __future__ import annotations

import threading

import pytest

from dock.errors import StoreStopped
from dock.station.pace import TokenBucket


class Clock:
    """Goes on by what is waited for; stands in for the event that a stop sets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        return self.stopped


def bucket(kbit_s: int) -> tuple[TokenBucket, Clock]:
    clock = Clock()
    return TokenBucket(kbit_s, clock, monotonic=lambda: clock.now_s), clock  # type: ignore[arg-type]


def test_a_megabyte_at_800_kilobits_takes_ten_seconds_less_the_burst() -> None:
    pace, clock = bucket(800)
    for _ in range(100):
        pace(10_000)
    assert clock.now_s - 100 == pytest.approx(10, abs=0.6)


def test_a_pause_is_not_saved_up() -> None:
    pace, clock = bucket(800)
    clock.now_s += 3600
    for _ in range(100):
        pace(10_000)
    assert clock.now_s - 3700 >= 9.4


def test_without_a_rate_nothing_waits() -> None:
    pace, clock = bucket(0)
    pace(10**12)
    assert clock.now_s == 100


def test_a_stop_ends_the_wait() -> None:
    stopped = threading.Event()
    pace = TokenBucket(1, stopped)
    threading.Timer(0.05, stopped.set).start()
    with pytest.raises(StoreStopped):
        pace(10**9)
    with pytest.raises(StoreStopped):
        pace(1)

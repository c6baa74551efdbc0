"""A clock for simulated drivers under test that stands still while anybody works, and a hand that takes what they make.

A camera that falls behind on a busy machine loses frames, as it should, and counts them. On this clock it never does:
time goes on only when a driver waits, and a driver waits until what it delivered last has been taken.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

from hal import program_time

T = TypeVar("T")
WAIT_S = 120


class PatientTime(program_time.MachineTime):
    """Goes on by what a driver waits, at once."""

    def __init__(self) -> None:
        self._ns = super().boottime_ns()
        self._utc_less_boottime_ns = super().utc_ns() - self._ns

    def boottime_ns(self) -> int:
        self._ns += 1  # who looks twice looks later
        return self._ns

    def monotonic_ns(self) -> int:
        return self.boottime_ns()

    def utc_ns(self) -> int:
        return self._ns + self._utc_less_boottime_ns

    def sleep(self, seconds: float) -> None:
        self._ns += max(0, round(seconds * 1e9))

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.sleep(timeout_s)
        return event.is_set()


@contextlib.contextmanager
def patient_time() -> Iterator[PatientTime]:
    """This process goes by that time until the end of the block."""
    patient = PatientTime()
    before = program_time.run_on(patient)
    try:
        yield patient
    finally:
        program_time.run_on(before)


class Hand(Generic[T]):
    """Takes one thing at a time; who delivers the next one waits."""

    def __init__(self) -> None:
        self._held: queue.Queue[T] = queue.Queue(maxsize=1)
        self._over = threading.Event()

    def give(self, item: T) -> None:
        """The driver's callback."""
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._held.put(item, timeout=0.05)
                return

    def get(self) -> T:
        return self._held.get(timeout=WAIT_S)

    def take(self, count: int) -> list[T]:
        return [self.get() for _ in range(count)]

    def forget(self) -> None:
        """Throw away what was made before now: what is held, and what the driver holds out."""
        self.take(2)

    def let_go(self) -> None:
        """Before the driver is stopped: it must not wait for us."""
        self._over.set()

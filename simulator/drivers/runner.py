"""Who lets simulated drivers take their steps: a thread for each in real time, or the one loop in virtual time.

A driver is a generator: it yields the instant (CLOCK_BOOTTIME, nanoseconds) at which it wants to go on, and does its
work when it is called again. It never waits by itself, so the same driver runs in both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from hal import program_time

NS_PER_S = 1_000_000_000
Steps = Iterator[int]


class Runner(Protocol):
    """Lets drivers take their steps."""

    def play(self, name: str, steps: Steps) -> Callable[[], None]:
        """Begin; returns what ends it (may be called twice, and by the driver's own step)."""
        ...


class ThreadRunner:
    """A thread for each driver, in the time that this program goes by."""

    def play(self, name: str, steps: Steps) -> Callable[[], None]:
        stopping = threading.Event()
        thread = threading.Thread(target=_run, args=(steps, stopping), name=name, daemon=True)
        thread.start()

        def stop() -> None:
            stopping.set()
            if thread is not threading.current_thread():
                thread.join()

        return stop


def _run(steps: Steps, stopping: threading.Event) -> None:
    for due_ns in steps:
        left_ns = due_ns - program_time.boottime_ns()
        if program_time.wait(stopping, left_ns / NS_PER_S) if left_ns > 0 else stopping.is_set():
            return

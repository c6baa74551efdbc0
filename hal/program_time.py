"""The time that programs go by: waits, ages, back-off, time stamps (design, "Time in the program").

One process has one source of time. It is the machine's, unless whoever starts the process gives another before
anything runs: the simulator's goes faster, or only when everybody has done his work. Code asks here, and not the
module `time`, for everything that must keep step with the camera's clock. What measures this machine itself (how long a
disk takes) does not.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from typing import Protocol


class ProgramTime(Protocol):
    """Where time comes from. All of it goes at the same rate."""

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included; never goes back."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since some beginning; never goes back."""
        ...

    def utc_ns(self) -> int:
        """Nanoseconds since 1970, as this machine believes; may step."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait on a thread that is not the loop's."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait on such a thread until somebody sets the event; False if nobody did in time."""
        ...

    def hold(self) -> int:
        """Somebody works, and time that only goes when nobody works must wait for him; his number. Any thread."""
        ...

    def release(self) -> None:
        """He is done, or only waits; the counterpart of one `hold`. Any thread."""
        ...

    def turn(self, number: int) -> None:
        """Who holds that number, and is not the loop, waits here until it is his turn to work."""
        ...

    def lent(self) -> contextlib.AbstractContextManager[None]:
        """Within the block he waits for others who work."""
        ...


class MachineTime:
    """The kernel's clocks, which wait for nobody."""

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_REALTIME)

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)

    def hold(self) -> int:
        return 0

    def release(self) -> None:
        """Nobody waited."""

    def turn(self, number: int) -> None:
        """Everybody works at once."""

    def lent(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


_source: ProgramTime = MachineTime()


def run_on(source: ProgramTime) -> ProgramTime:
    """From now on this process goes by `source`; returns the one before, to be given back."""
    global _source
    before, _source = _source, source
    return before


def boottime_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds."""
    return _source.boottime_ns()


def monotonic_ns() -> int:
    """Nanoseconds since some beginning."""
    return _source.monotonic_ns()


def monotonic_s() -> float:
    """Seconds since some beginning."""
    return _source.monotonic_ns() / 1e9


def utc_ns() -> int:
    """UTC in nanoseconds since 1970, as this machine believes."""
    return _source.utc_ns()


def utc_s() -> float:
    """UTC in seconds since 1970, as this machine believes."""
    return _source.utc_ns() / 1e9


def utc_now() -> dt.datetime:
    """UTC as this machine believes, with its zone."""
    return dt.datetime.fromtimestamp(_source.utc_ns() / 10**9, dt.UTC)


def sleep(seconds: float) -> None:
    """Wait so long, on a thread that is not the loop's."""
    _source.sleep(seconds)


def wait(event: threading.Event, timeout_s: float) -> bool:
    """Wait for an event, on a thread that is not the loop's; False if nobody set it in time."""
    return _source.wait(event, timeout_s)


def hold() -> int:
    """Somebody works: simulated time waits for him, the machine's does not. One `release` for each; his number."""
    return _source.hold()


def release() -> None:
    """He is done, or waits himself."""
    _source.release()


def turn(number: int) -> None:
    """Before he who holds that number begins to work on a thread of his own."""
    _source.turn(number)


def lent() -> contextlib.AbstractContextManager[None]:
    """Around a wait for others who work."""
    return _source.lent()

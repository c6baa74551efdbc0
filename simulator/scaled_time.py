"""Time that goes N times as fast as this machine's, for programs that are processes of their own (``--speed N``).

All processes of a run compute their time from the same instant of this machine's CLOCK_BOOTTIME, which they are told:
their clocks agree, also after a new start. What scales and what does not stands in docs/simulator/time.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hal import program_time
from simulator.processes import python_module

NS_PER_S: Final = 1_000_000_000
SLOWEST: Final = 1.0
FASTEST: Final = 16.0
"""Fingers and lines move by tens of milliseconds of the camera's time: faster than that a busy machine misses them."""
_LEAST_LOOK_S: Final = 0.02
"""Seconds of this machine between two looks of the world: more often would only take the processor from the camera."""


@dataclass(frozen=True, slots=True)
class ScaledTime:
    """`hal.program_time.ProgramTime`, `speed` times as fast as the machine's from one instant on."""

    speed: float
    began_ns: int
    """This machine's CLOCK_BOOTTIME at that instant…"""
    began_utc_ns: int
    """…and its UTC, nanoseconds since 1970."""

    @classmethod
    def from_now(cls, speed: float) -> ScaledTime:
        """Beginning at this instant."""
        machine = program_time.MachineTime()
        return cls(speed, machine.boottime_ns(), machine.utc_ns())

    def _passed_ns(self) -> int:
        return int((time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.began_ns) * self.speed)

    def boottime_ns(self) -> int:
        return self.began_ns + self._passed_ns()

    def monotonic_ns(self) -> int:
        return self.boottime_ns()

    def utc_ns(self) -> int:
        return self.began_utc_ns + self._passed_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds / self.speed))

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s / self.speed)

    def hold(self) -> int:
        """This time waits for nobody."""
        return 0

    def release(self) -> None:
        """Nobody waited."""

    def turn(self, number: int) -> None:
        """Everybody works at once."""

    def lent(self) -> contextlib.AbstractContextManager[None]:
        """Nobody has a turn that could be lent."""
        return contextlib.nullcontext()

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command that starts one of our programs so that it goes by this time too."""
        words = ["--speed", repr(self.speed), "--began", str(self.began_ns), "--utc", str(self.began_utc_ns)]
        return python_module("simulator.at_speed", *words, module, *arguments)


class ScaledLoop(asyncio.SelectorEventLoop):
    """asyncio's loop in that time: its timers, time-outs and sleeps are the camera's seconds."""

    def __init__(self, scaled: ScaledTime) -> None:
        self._scaled = scaled
        super().__init__(_HastySelector(scaled.speed))
        self._clock_resolution = 1e-9 * scaled.speed

    def time(self) -> float:
        """Scaled CLOCK_BOOTTIME in seconds."""
        return self._scaled.boottime_ns() / NS_PER_S


class _HastySelector(selectors.DefaultSelector):
    """The loop says for how many of its own seconds nothing is due; this machine waits a part of that."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None or timeout <= 0 else timeout / self._speed)


class ScaledPolicy(asyncio.DefaultEventLoopPolicy):
    """Every loop that this process makes goes by that time."""

    def __init__(self, scaled: ScaledTime) -> None:
        super().__init__()
        self._scaled = scaled

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return ScaledLoop(self._scaled)


class ScaledStage:
    """`simulator.stage.Stage`: the world keeps step with its programs."""

    def __init__(self, scaled: ScaledTime) -> None:
        self._scaled = scaled
        self.look_s = max(0.1, _LEAST_LOOK_S * scaled.speed)
        self.tick_s = max(1.0, scaled.speed / 4)
        self.patience = scaled.speed

    def now_s(self) -> float:
        return self._scaled.boottime_ns() / NS_PER_S

    def utc_ns(self) -> int:
        return self._scaled.utc_ns()

    def sleep(self, seconds: float) -> None:
        self._scaled.sleep(seconds)


@contextlib.contextmanager
def scaled_time(scaled: ScaledTime) -> Iterator[ScaledTime]:
    """This process goes by that time until the end of the block."""
    before = program_time.run_on(scaled)
    try:
        yield scaled
    finally:
        program_time.run_on(before)

"""Where a world plays: in real time, with processes, or in virtual time, in one process (`simulator.virtual_stage`)."""

from __future__ import annotations

import time
from typing import Protocol


class Stage(Protocol):
    """The world's own time. Nothing of the world reads another clock."""

    look_s: float
    """How often to look at a camera while nothing is to be done."""
    tick_s: float
    """How often battery and heat go on."""
    patience: float
    """How many of its seconds pass in one of this machine's, where somebody waits for work of this machine (1 if the
    clock waits for the work)."""

    def now_s(self) -> float:
        """Seconds since some beginning; never goes back."""
        ...

    def utc_ns(self) -> int:
        """The true UTC of this world, nanoseconds since 1970; what its people and its station go by."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so much time pass. In virtual time everything else of the world does its work meanwhile."""
        ...


class RealStage:
    """Everybody's time."""

    look_s = 0.1
    tick_s = 1.0
    patience = 1.0

    def now_s(self) -> float:
        return time.monotonic()

    def utc_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

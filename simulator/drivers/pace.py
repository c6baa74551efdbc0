"""An absolute schedule on CLOCK_BOOTTIME: the n-th instant never drifts, however late one of them was served."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction

NS_PER_S = 1_000_000_000


def boottime_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Pace:
    """Instants `period_s` apart, counted from 0 at `start_ns` (CLOCK_BOOTTIME)."""

    period_s: Fraction
    start_ns: int = field(default_factory=boottime_ns)

    def instant_ns(self, number: int) -> int:
        """CLOCK_BOOTTIME of instant `number`, in nanoseconds."""
        return self.start_ns + int(number * self.period_s * NS_PER_S)

    def due(self, now_ns: int) -> int:
        """Number of the newest instant that is not after `now_ns`; -1 before the first one."""
        number = int(Fraction(now_ns - self.start_ns, NS_PER_S) / self.period_s)
        # The instants are cut to whole nanoseconds: the neighbour may be due already.
        return number + 1 if self.instant_ns(number + 1) <= now_ns else number

    def wait(self, number: int, stop: threading.Event) -> bool:
        """Sleep until instant `number`. False if `stop` was set meanwhile."""
        remaining_ns = self.instant_ns(number) - boottime_ns()
        return not (stop.wait(remaining_ns / NS_PER_S) if remaining_ns > 0 else stop.is_set())

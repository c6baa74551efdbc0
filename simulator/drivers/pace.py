"""An absolute schedule on CLOCK_BOOTTIME: the n-th instant never drifts, however late one of them was served."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from hal.program_time import boottime_ns

__all__ = ["NS_PER_S", "Pace", "boottime_ns"]

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Instants `period_s` apart, counted from 0 at `start_ns` (CLOCK_BOOTTIME)."""

    period_s: Fraction
    start_ns: int = field(default_factory=boottime_ns)
    _numerator_ns: int = field(init=False)
    _denominator: int = field(init=False)

    def __post_init__(self) -> None:
        # Whole numbers: fractions would cost more than the rest of a step.
        object.__setattr__(self, "_numerator_ns", self.period_s.numerator * NS_PER_S)
        object.__setattr__(self, "_denominator", self.period_s.denominator)

    def instant_ns(self, number: int) -> int:
        """CLOCK_BOOTTIME of instant `number`, in nanoseconds."""
        return self.start_ns + number * self._numerator_ns // self._denominator

    def due(self, now_ns: int) -> int:
        """Number of the newest instant that is not after `now_ns`; -1 before the first one."""
        number = (now_ns - self.start_ns) * self._denominator // self._numerator_ns
        # The instants are cut to whole nanoseconds: the neighbour may be due already.
        return number + 1 if self.instant_ns(number + 1) <= now_ns else number

"""How far this camera's clock is off, by the station's signed greeting (invariant 10). Pure.

The greeting's time lies somewhere between our question and its answer: half of that is the uncertainty, and the
station's own comes on top. The way is timed by a clock that nobody sets; a clock that was set in between is found out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """The moment of the question."""

    utc_ns: int
    """Our clock, nanoseconds since 1970."""
    steady_ns: int
    """CLOCK_BOOTTIME or CLOCK_MONOTONIC."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Ours minus the station's."""

    offset_ms: int
    uncertainty_ms: int
    """Half of the way there and back, and what the station says of itself."""

    @property
    def surely_off_ms(self) -> int:
        """So far off at least; 0 if it may be right."""
        return max(0, abs(self.offset_ms) - self.uncertainty_ms)


def measure(
    asked: Sent, answered: Sent, station_ns: int, station_uncertainty_ms: int, uncertainty_ms: int = 0
) -> ClockOffset:
    """The offset at the answer. `uncertainty_ms` is our own clock's."""
    way_ns = max(0, answered.steady_ns - asked.steady_ns)
    half_ns = way_ns // 2
    offset_ns = answered.utc_ns - half_ns - station_ns
    return ClockOffset(_round(offset_ns), -(-half_ns // _MS) + station_uncertainty_ms + uncertainty_ms)


def _round(nanoseconds: int) -> int:
    return (nanoseconds + _MS // 2) // _MS

"""The clock seam: CLOCK_BOOTTIME for order and duration, UTC only as a claim with an interval (design, invariant 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

TimeSource = Literal["gnss", "ntp", "dock", "rtc", "none"]


@dataclass(frozen=True, slots=True)
class UtcClaim:
    """UTC lies in [earliest_ns, latest_ns] (nanoseconds since 1970), says `source`; "none" = nobody vouches for it."""

    earliest_ns: int
    latest_ns: int
    source: TimeSource

    @property
    def middle_ns(self) -> int:
        return (self.earliest_ns + self.latest_ns) // 2


class Clock(Protocol):
    """Time for everything in the camera."""

    @property
    def boot_id(self) -> str:
        """A UUID that changes at every boot."""
        ...

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included; never steps."""
        ...

    def utc(self) -> UtcClaim:
        """The present UTC claim."""
        ...

"""The UTC that one simulated camera believes in; its clock and its pictures share it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hal.clock import TimeSource
from simulator.drivers.pace import boottime_ns


@dataclass(slots=True)
class SimulatedTime:
    """Plain values, set by one thread and read by others: each read sees the old or the new value, never a mixture."""

    utc_offset_ns: int = 0
    """What is added to the host's UTC (CLOCK_REALTIME), nanoseconds."""
    source: TimeSource = "ntp"
    uncertainty_ns: int = 5_000_000
    """Half the width of the claimed interval, nanoseconds."""

    def utc_ns(self) -> int:
        """Present UTC as the camera believes, nanoseconds since 1970."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME) + self.utc_offset_ns

    def utc_at_ns(self, at_ns: int) -> int:
        """UTC of an instant of CLOCK_BOOTTIME, as the camera believes at present; nanoseconds since 1970."""
        return at_ns + self.utc_ns() - boottime_ns()

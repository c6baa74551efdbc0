"""The UTC that one simulated camera believes in; its clock and its pictures share it."""

from __future__ import annotations

from dataclasses import dataclass

from hal import program_time
from hal.clock import TimeSource
from simulator.drivers.pace import boottime_ns

_PPM = 1_000_000


@dataclass(slots=True)
class SimulatedTime:
    """Plain values, set by one thread and read by others: each read sees the old or the new value, never a mixture."""

    utc_offset_ns: int = 0
    """What is added to the host's UTC (CLOCK_REALTIME), nanoseconds."""
    source: TimeSource = "ntp"
    uncertainty_ns: int = 5_000_000
    """Half the width of the claimed interval, nanoseconds."""
    _drift: tuple[int, int] = (0, 0)
    """How fast the clock runs, in millionths of a millionth, and since when (CLOCK_BOOTTIME)."""

    def utc_ns(self) -> int:
        """Present UTC as the camera believes, nanoseconds since 1970."""
        return program_time.utc_ns() + self.utc_offset_ns + self._drifted_ns(boottime_ns())

    def utc_at_ns(self, at_ns: int) -> int:
        """UTC of an instant of CLOCK_BOOTTIME, as the camera believes at present; nanoseconds since 1970."""
        return at_ns + self.utc_ns() - boottime_ns()

    def drift(self, ppm: float) -> None:
        """From now on the clock is fast by so many millionths (slow: negative). What it is off already stays."""
        now_ns = boottime_ns()
        self.utc_offset_ns, self._drift = self.utc_offset_ns + self._drifted_ns(now_ns), (round(ppm * _PPM), now_ns)

    def set_offset(self, utc_offset_ns: int) -> None:
        """Somebody sets the clock; it goes on as fast as before, and is off by nothing else."""
        self.utc_offset_ns, self._drift = utc_offset_ns, (self._drift[0], boottime_ns())

    def _drifted_ns(self, now_ns: int) -> int:
        rate, since_ns = self._drift
        return (now_ns - since_ns) * rate // (_PPM * _PPM) if rate else 0

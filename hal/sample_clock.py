"""When each block of samples was captured, out of a sample count and a clock that are not quite the same speed."""

from __future__ import annotations

from typing import Final

PULL: Final = 0.02
"""How much of the error each block takes back: about a second until a drift is followed, jitter is smoothed."""
OUTLIER_NS: Final = 60_000_000
"""A block that seems further off than this was read by a thread that had just lost the processor."""
OUTLIERS: Final = 25
"""So many of them in a row (half a second) and it is the count that is wrong."""


class SampleClock:
    """CLOCK_BOOTTIME of each block's first sample. Strictly increasing, also over `restart`. Pure.

    A crystal of 50 ppm is off by 180 ms an hour: the count alone will not do. The time of arrival alone jitters by as
    much as the machine is busy. So the count leads, and the clock pulls it gently.
    """

    def __init__(self, sample_rate: int, samples: int) -> None:
        self._block_ns = samples * 1_000_000_000 / sample_rate
        self._next_ns: float | None = None
        self._last_ns = -1
        self._outliers = 0

    def restart(self) -> None:
        """Samples were lost: the count says nothing about the next block."""
        self._next_ns = None

    def stamp(self, end_ns: int) -> int:
        """The start of the next block, whose end the clock puts at `end_ns` (CLOCK_BOOTTIME)."""
        measured_ns = end_ns - self._block_ns
        if self._next_ns is None:
            self._next_ns, self._outliers = measured_ns, 0
        error_ns = measured_ns - self._next_ns
        if abs(error_ns) <= OUTLIER_NS:
            self._outliers = 0
            self._next_ns += PULL * error_ns
        else:
            self._outliers += 1
            if self._outliers >= OUTLIERS:
                self._next_ns, self._outliers = measured_ns, 0
        stamped_ns = max(round(self._next_ns), self._last_ns + 1)
        self._last_ns = stamped_ns
        self._next_ns += self._block_ns
        return stamped_ns

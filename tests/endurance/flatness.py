"""Is it flat? A line through what was measured, warm-up left out. Pure.

A leak is a line that rises. The line is Theil's (1950: the median of the slopes between all pairs of points), which one
outlier does not turn; and since a leak may come in steps that a line does not see, the end is held against the
beginning too: the medians of the last and the first quarter.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_POINTS: Final = 400
"""Pairs grow with the square: of more points every n-th is taken."""
LEAST_POINTS: Final = 4


class TooFewPoints(ValueError):
    """Nothing can be said of so few measurements."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of a quantity after warm-up, in its own unit."""

    first: float
    """Median of the first quarter."""
    last: float
    """Median of the last quarter."""
    per_hour: float
    """The line's slope."""
    rise: float
    """What the line rises by from the first point to the last."""
    highest: float
    allowed: float

    @property
    def flat(self) -> bool:
        """Neither the line nor the end is higher than allowed. Falling is flat."""
        return self.rise <= self.allowed and self.last - self.first <= self.allowed


def growth(hours: Sequence[float], values: Sequence[float], *, allowed: float, warm_up_h: float = 0.0) -> Growth:
    """Judge `values` at `hours`; what lies before `warm_up_h` does not count. Raises `TooFewPoints`."""
    points = [(at_h, value) for at_h, value in zip(hours, values, strict=True) if at_h >= warm_up_h]
    if len(points) < LEAST_POINTS:
        raise TooFewPoints(f"{len(points)} measurements after {warm_up_h:g} h of warm-up: {LEAST_POINTS} are needed")
    taken = points[:: -(-len(points) // MOST_POINTS)]
    slopes = [(b - a) / (later - one) for (one, a), (later, b) in itertools.combinations(taken, 2) if later > one]
    per_hour = statistics.median(slopes) if slopes else 0.0
    quarter = max(1, len(points) // 4)
    return Growth(
        first=statistics.median(value for _, value in points[:quarter]),
        last=statistics.median(value for _, value in points[-quarter:]),
        per_hour=per_hour,
        rise=per_hour * (points[-1][0] - points[0][0]),
        highest=max(value for _, value in points),
        allowed=allowed,
    )

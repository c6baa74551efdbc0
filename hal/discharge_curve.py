"""State of charge from a cell's voltage, for gauges that only measure. Pure.

A cell's voltage sags under load by current times its inner resistance; with that added back it is the voltage at rest,
and a table says how full a cell of that chemistry is. Good for about ten percent, and less on the flat middle of
lithium iron phosphate: a real fuel gauge is better. The tables are rounded averages of cells at 25 °C.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from hal.errors import BadDriverOption

MOST_POINTS: Final = 64
LOWEST_MV, HIGHEST_MV = 1_000, 5_000

Point = tuple[int, int]
"""Millivolts of one cell at rest, percent."""

CURVES: Final[dict[str, tuple[Point, ...]]] = {
    "li-ion": (
        (3000, 0), (3300, 3), (3450, 5), (3600, 10), (3680, 20), (3740, 30), (3780, 40), (3830, 50), (3890, 60),
        (3960, 70), (4030, 80), (4100, 90), (4180, 100),
    ),
    "li-ion-4v35": (
        (3000, 0), (3400, 3), (3600, 8), (3700, 18), (3760, 28), (3800, 38), (3850, 48), (3920, 58), (4010, 68),
        (4110, 79), (4220, 90), (4330, 100),
    ),
    "lifepo4": (
        (2500, 0), (2900, 5), (3100, 10), (3200, 20), (3230, 30), (3255, 40), (3270, 50), (3285, 60), (3300, 70),
        (3315, 80), (3330, 90), (3400, 100),
    ),
}  # fmt: skip
"""Names that a board's file may use."""


def curve_of(chemistry: object, own: object = None) -> tuple[Point, ...]:
    """The curve of a chemistry, or one's own as [millivolts of a cell, percent] each. Raises `BadDriverOption`."""
    if not isinstance(chemistry, str) or chemistry not in CURVES:
        raise BadDriverOption(f"battery: chemistry {chemistry!r} is not known: take one of {', '.join(CURVES)}")
    if own is None:
        return CURVES[chemistry]
    if not isinstance(own, list | tuple) or not 2 <= len(own) <= MOST_POINTS:
        raise BadDriverOption(f"battery: curve must be 2 to {MOST_POINTS} points [millivolts of one cell, percent]")
    points = [_point(one) for one in own]
    for (low_mv, low), (high_mv, high) in itertools.pairwise(points):
        if low_mv >= high_mv or low > high:
            raise BadDriverOption(f"battery: curve must rise: [{high_mv}, {high}] does not follow [{low_mv}, {low}]")
    return tuple(points)


def _point(one: object) -> Point:
    if isinstance(one, list | tuple) and len(one) == 2:
        mv, percent = one
        whole = all(isinstance(value, int) and not isinstance(value, bool) for value in one)
        if whole and LOWEST_MV <= mv <= HIGHEST_MV and 0 <= percent <= 100:
            return mv, percent
    raise BadDriverOption(
        f"battery: {one!r} is no point of a curve: give [millivolts of one cell, percent], e.g. [3830, 50]"
    )


def percent_at(curve: Sequence[Point], cell_uv: float) -> int:
    """How full a cell with this voltage at rest is, 0 to 100; between two points a straight line."""
    mv = cell_uv / 1000
    if mv <= curve[0][0]:
        return curve[0][1]
    for (low_mv, low), (high_mv, high) in itertools.pairwise(curve):
        if mv <= high_mv:
            return round(low + (high - low) * (mv - low_mv) / (high_mv - low_mv))
    return curve[-1][1]

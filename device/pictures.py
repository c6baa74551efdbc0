"""What is wrong with what the camera sees, by its small pictures (R12, R29). Pure, and plain Python: no numpy here.

A look costs a few milliseconds (`measure`). One look decides nothing: `PictureWatch` wants a look to last.

* **black**, **frozen**: the picture does not change by a single pixel. A living sensor has noise, also in the dark and
  before a white wall, and averaging leaves enough of it to tip some of five thousand pixels. Dark and still is black;
  lit and still is frozen. A night or a pocket is dark and *not* still.
* **covered**: nothing in view has an edge. That is a hand, cloth, fog on the lens, or a night without any light: the
  picture cannot tell these apart, so it is told to the officer and is no failure to record.
* **defocused**: edges are there, and even the steepest rise slowly. In a small picture only a gross blur shows.
* **upside down** is not read from the picture: sky above ground fails at night, indoors and on a dashboard. Gravity
  says it (`device.gravity`).

The reasons for the limits, and what they cost in false alarms: docs/design/failure.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from operator import sub
from typing import Final, Literal

from hal.camera import SmallPicture

Trouble = Literal["black", "frozen", "covered", "defocused"]

BLACK_LEVEL: Final = 24
"""Luma (limited range: black is 16) that 99 % of a black picture do not exceed."""
EDGE_NONE: Final = 3
"""The steepest hundredth of all steps between neighbours in a picture without an edge."""
SPARK_NONE: Final = 5
"""The steepest thousandth in such a picture: lamps far away at night are steeper, if ever so small."""
EDGE_SOME: Final = 5
SPARK_SOME: Final = 8
"""One of these, and it is not covered any more."""
CONTRAST_FOR_FOCUS: Final = 10
"""Luma within four pixels that the steepest places must climb before their sharpness means anything."""
SHARPNESS_BLURRED: Final = 0.3
SHARPNESS_FINE: Final = 0.45

SMALLEST_PX: Final = 16
NS: Final = 1_000_000_000
LASTS_NS: Final[dict[Trouble, int]] = {
    "black": 2 * NS,
    "frozen": 2 * NS,
    "covered": 2_500_000_000,
    "defocused": 20 * NS,
}
"""How long a picture must look so before it counts: what blinds the camera is known within 5 s (R29)."""
OVER_NS: Final = 3 * NS
"""How long it must look well before it counts as well again."""
LONGEST_PAUSE_NS: Final = 10 * NS
"""After a longer pause between two looks everything begins anew: nobody looked meanwhile."""


@dataclass(frozen=True, slots=True)
class Measures:
    """One look. Steps and levels in luma, 0 to 255."""

    mean: float
    bright: int
    """99 % of the pixels are no brighter."""
    edge: int
    """The steepest hundredth of all steps between neighbours begins here."""
    spark: int
    """The same of the steepest thousandth."""
    climb: int
    """The same within four pixels, the steepest two-hundredth."""
    sharpness: float
    """How abruptly the steepest places climb: towards 1 = within a pixel, towards 0 = slowly."""
    still: bool
    """Not one pixel differs from the look before."""

    @property
    def dark(self) -> bool:
        return self.bright <= BLACK_LEVEL


def measure(picture: SmallPicture, before: SmallPicture | None) -> Measures:
    """Look at a picture, and at the one `before` it."""
    seen = _measured(picture.luma, picture.width)
    return replace(seen, still=True) if before is not None and before.luma == picture.luma else seen


@lru_cache(maxsize=64)
def _measured(luma: bytes, width: int) -> Measures:
    """The picture alone. One that comes again (frozen, black, simulated) costs nothing; 64 are 330 kB."""
    levels = sorted(luma)
    steps = _across(luma, width, 1) + _down(luma, width, 1)
    steps.sort()
    climbs = _across(luma, width, 4) + _down(luma, width, 4)
    climbs.sort()
    bends = [abs(a - 2 * b + c) for a, b, c in zip(luma, luma[width:], luma[2 * width :], strict=False)]
    rows = [abs(a - 2 * b + c) for a, b, c in zip(luma, luma[1:], luma[2:], strict=False)]
    del rows[width - 1 :: width], rows[width - 2 :: width - 1]  # bends around the end of a line are none
    bends += rows
    bends.sort()
    climb = climbs[-max(1, len(climbs) // 200)]
    return Measures(
        mean=sum(luma) / len(luma),
        bright=levels[-max(1, len(levels) // 100)],
        edge=steps[-max(1, len(steps) // 100)],
        spark=steps[-max(1, len(steps) // 1000)],
        climb=climb,
        sharpness=bends[-max(1, len(bends) // 200)] / climb if climb else 0.0,
        still=False,
    )


def _across(luma: bytes, width: int, pixels: int) -> list[int]:
    """Differences `pixels` apart within each line."""
    steps = list(map(abs, map(sub, luma[pixels:], luma)))
    for back in range(pixels):  # those that reach over the end of a line
        del steps[width - 1 - back :: width - back]
    return steps


def _down(luma: bytes, width: int, pixels: int) -> list[int]:
    return list(map(abs, map(sub, luma[pixels * width :], luma)))


def trouble_of(seen: Measures, present: Trouble | None) -> Trouble | None:
    """What one look says; `present` is what the camera is known to suffer from, which takes a little more to leave."""
    if seen.still:
        return "black" if seen.dark else "frozen"
    edge, spark = (EDGE_NONE, SPARK_NONE) if present != "covered" else (EDGE_SOME - 1, SPARK_SOME - 1)
    if seen.edge <= edge and seen.spark <= spark:
        return "covered"
    if seen.climb >= CONTRAST_FOR_FOCUS and seen.sharpness < (
        SHARPNESS_BLURRED if present != "defocused" else SHARPNESS_FINE
    ):
        return "defocused"
    return None


class PictureWatch:
    """Looks at each small picture once, and says what has lasted. Times are those of the pictures."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        """What the picture suffers from, for long enough."""
        self.since_ns: int | None = None
        """When that began, CLOCK_BOOTTIME."""
        self.seen: Measures | None = None
        """The newest look."""
        self._before: SmallPicture | None = None
        self._candidate: Trouble | None = None
        self._candidate_since_ns = 0

    def look(self, picture: SmallPicture) -> None:
        """Take a picture; one that was seen before is no news."""
        if (
            picture.width < SMALLEST_PX
            or picture.height < SMALLEST_PX
            or len(picture.luma) != (picture.width * picture.height)
        ):
            return  # no driver of ours gives such a picture, and nothing can be said about it
        before = self._before
        if before is not None and picture.captured_ns <= before.captured_ns:
            return
        if before is not None and (
            picture.captured_ns - before.captured_ns > LONGEST_PAUSE_NS or len(before.luma) != len(picture.luma)
        ):
            self.forget()
            before = None
        self._before = picture
        self.seen = measure(picture, before)
        found = trouble_of(self.seen, self.trouble)
        if found != self._candidate:
            # A still picture has been so since the look before.
            still = found in ("black", "frozen") and before is not None
            self._candidate_since_ns = before.captured_ns if still and before is not None else picture.captured_ns
            self._candidate = found
        lasted_ns = picture.captured_ns - self._candidate_since_ns
        if found != self.trouble and lasted_ns >= (OVER_NS if found is None else LASTS_NS[found]):
            self.trouble = found
            self.since_ns = None if found is None else self._candidate_since_ns

    def forget(self) -> None:
        """Begin anew."""
        self.trouble = self.since_ns = self.seen = self._before = self._candidate = None

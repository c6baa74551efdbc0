"""The text that a real camera burns into its pictures: whose camera it is, and the UTC at which each was taken.

It helps whoever watches. It proves nothing: what can be checked stands in the signed statements (docs/cameras.md).
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import numpy.typing as npt

from hal import glyphs, program_time
from hal.errors import BadDriverOption

Plane = npt.NDArray[np.uint8]
LABEL_MAX: Final = 32
_CLOCK: Final = "0000-00-00 00:00:00.000 UTC"
_LINE_DOTS: Final = glyphs.HEIGHT_DOTS + 3
_GREY: Final = 128


def checked_label(label: object) -> str:
    """A label as it is. Raises `BadDriverOption`."""
    if not isinstance(label, str) or len(label) > LABEL_MAX or not label.isprintable():
        raise BadDriverOption(f"label = {label!r}: give at most {LABEL_MAX} letters, the camera's serial for instance")
    return label


def utc_of_capture_ns(captured_ns: int) -> int:
    """UTC (nanoseconds since 1970, as this machine believes) at an instant of CLOCK_BOOTTIME."""
    return program_time.utc_ns() - (program_time.boottime_ns() - captured_ns)


class Caption:
    """Two lines in the upper left corner of pictures of one size: `label`, then date and time."""

    def __init__(self, width: int, height: int, label: str) -> None:
        # A thirty-fifth of the height can be read from a desk; narrow pictures get what fits in them.
        fits = (width - 8) // (glyphs.ADVANCE_DOTS * len(_CLOCK))
        self._scale = max(1, min(height // 240, fits))
        self._margin = 2 * self._scale
        self._room_px = width - 4 * self._margin
        self._label = glyphs.line(label, self._scale)[:, : self._room_px]
        self._lines = 2 if label else 1
        self._second = -1
        self._second_text = self._label

    @property
    def height_px(self) -> int:
        """Lines of the picture that the text lies in, an even number."""
        high = self._margin + self._lines * _LINE_DOTS * self._scale + self._margin
        return high + high % 2

    def draw(self, luma: Plane, utc_ns: int) -> None:
        """Write into the luma plane, in place, on a darkened ground; `utc_ns` is nanoseconds since 1970."""
        second, rest_ns = divmod(utc_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
            self._second_text = glyphs.line(stamp, self._scale)
        clock = np.hstack([self._second_text, glyphs.line(f".{rest_ns // 1_000_000:03} UTC", self._scale)])
        clock = clock[:, : self._room_px]
        width_px = max(self._label.shape[1], clock.shape[1]) + 2 * self._margin
        box = luma[self._margin : self.height_px, self._margin : self._margin + width_px]
        np.minimum(box, _GREY, out=box)
        box >>= 1
        top = self._margin
        for text in (self._label, clock)[2 - self._lines :]:
            there = box[top : top + text.shape[0], self._margin : self._margin + text.shape[1]]
            np.maximum(there, text[: there.shape[0], : there.shape[1]], out=there)
            top += _LINE_DOTS * self._scale

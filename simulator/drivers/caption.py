"""The text that every simulated picture carries: SIMULATED, whose it is, UTC with milliseconds, frame number.

Glyphs are drawn once by Pillow's built-in font; a picture costs a few small copies.
"""

from __future__ import annotations

import time

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from simulator.drivers.picture import Plane

_SMALLEST_FONT_PX = 8
_WIDEST = "0000-00-00 00:00:00.000 UTC  #0000000"


class Caption:
    """Two lines in the upper left corner of pictures of one size."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._margin = max(2, height // 60)
        size = max(_SMALLEST_FONT_PX, height // 23)
        while size > _SMALLEST_FONT_PX and _Font(size).line(_WIDEST).shape[1] > width - 4 * self._margin:
            size -= 1
        self._font = _Font(size)
        self._title = self._font.line(title)[:, : width - 4 * self._margin]
        self._room_px = width - 4 * self._margin
        self._second = -1
        self._second_text = self._font.line("")
        self._between = self._font.line(" UTC  #")

    def draw(self, luma: Plane, utc_ns: int, sequence: int) -> None:
        """Write into the luma plane, in place; `utc_ns` is nanoseconds since 1970."""
        second, rest_ns = divmod(utc_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = self._font.line(_utc_text(second))
        clock = np.hstack(
            [
                self._second_text,
                *self._font.glyphs(f".{rest_ns // 1_000_000:03}"),
                self._between,
                *self._font.glyphs(f"{sequence:06}"),
            ]
        )[:, : self._room_px]
        margin, line_px = self._margin, self._font.height
        box_px = max(self._title.shape[1], clock.shape[1]) + 2 * margin
        box = luma[margin : 2 * line_px + 3 * margin, margin : margin + box_px]
        box >>= 1
        _write(box, self._title, margin // 2, margin)
        _write(box, clock, margin // 2 + line_px, margin)


class _Font:
    """White glyphs on black in one size; digits are equally wide, so that the clock does not jump."""

    def __init__(self, size_px: int) -> None:
        self._font = ImageFont.load_default(size_px)
        self.height = round(size_px * 1.25)
        self._digit_px = max(self._advance(digit) for digit in "0123456789")
        self._glyphs: dict[str, Plane] = {}

    def glyphs(self, text: str) -> list[Plane]:
        return [self._glyphs[letter] if letter in self._glyphs else self._draw(letter) for letter in text]

    def line(self, text: str) -> Plane:
        return np.hstack([np.zeros((self.height, 0), dtype=np.uint8), *self.glyphs(text)])

    def _advance(self, letter: str) -> int:
        return max(1, round(self._font.getlength(letter)))

    def _draw(self, letter: str) -> Plane:
        width = self._digit_px if letter.isdigit() else self._advance(letter)
        image = Image.new("L", (width, self.height), 0)
        ImageDraw.Draw(image).text((width / 2, self.height * 0.8), letter, fill=235, font=self._font, anchor="ms")
        glyph = self._glyphs[letter] = np.asarray(image, dtype=np.uint8)
        return glyph


def _write(box: Plane, line: Plane, top: int, left: int) -> None:
    there = box[top : top + line.shape[0], left : left + line.shape[1]]
    np.maximum(there, line[: there.shape[0], : there.shape[1]], out=there)


def _utc_text(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))

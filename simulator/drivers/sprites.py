"""Small pictures with soft edges that are drawn once, kept in every size they were needed in, and blended in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from simulator.drivers.picture import Picture, Plane, halve, to_yuv

_SIZE_STEP = 1.07  # sizes are kept in steps of 7 %: the eye does not see the difference, the cache stays small
_Wide = npt.NDArray[np.uint16]


class Sprite:
    """A drawing (RGBA) that stands on a point: the middle of its lower edge unless `foot` says otherwise."""

    def __init__(self, drawing: Image.Image, width_m: float, foot: tuple[float, float] = (0.5, 1.0)) -> None:
        # Halved again and again, premultiplied (else the colour of clear pixels bleeds into the edges): a small size is
        # then made from a small drawing.
        self._drawings = [drawing.convert("RGBa")]
        while min(self._drawings[-1].size) >= 16:
            self._drawings.append(self._drawings[-1].reduce(2))
        left, top, right, bottom = drawing.getbbox() or (0, 0, *drawing.size)
        self._width_m = width_m * (right - left) / drawing.width
        self._foot = (
            (foot[0] * drawing.width - left) / (right - left),
            (foot[1] * drawing.height - top) / (bottom - top),
        )
        drawing = drawing.crop((left, top, right, bottom))  # clear borders would cost time in every picture
        self._sizes: dict[int, _Stamp] = {}

    def blend(self, picture: Picture, x_px: float, y_px: float, px_per_m: float) -> float:
        """Draw it with its foot at (x, y) pixels, scaled; what lies outside the picture is cut off.

        Returns the scale it was really drawn in, pixels per metre: sizes come in steps.
        """
        step = round(math.log(max(px_per_m * self._width_m, 1.0), _SIZE_STEP))
        stamp = self._sizes.get(step)
        if stamp is None:
            stamp = self._sizes[step] = _Stamp(self._source(_SIZE_STEP**step), _SIZE_STEP**step)
        left = x_px - self._foot[0] * stamp.width
        top = y_px - self._foot[1] * stamp.height
        stamp.blend(picture, 2 * round(left / 2), 2 * round(top / 2))
        return stamp.width / self._width_m

    def _source(self, width_px: float) -> Image.Image:
        """The smallest drawing that is still at least twice as wide."""
        return next((d for d in reversed(self._drawings) if d.width >= 2 * width_px), self._drawings[0])


class _Stamp:
    """A sprite in one size, ready to be blended: colours times alpha, and what is left of the picture under it."""

    def __init__(self, drawing: Image.Image, width_px: float) -> None:
        self.width = max(2, 2 * round(width_px / 2))
        self.height = max(2, 2 * round(self.width * drawing.height / drawing.width / 2))
        small = drawing.resize((self.width, self.height), Image.Resampling.BOX).convert("RGBA")
        alpha = np.asarray(small.getchannel("A"), dtype=np.float32)
        half_alpha = halve(alpha)
        luma, cb, cr = to_yuv(small)
        self._y = _premultiplied(luma, alpha)
        self._u = _premultiplied(cb, half_alpha)
        self._v = _premultiplied(cr, half_alpha)
        self._rest = np.rint(256 - alpha * (256 / 255)).astype(np.uint16)
        self._half_rest = np.rint(256 - half_alpha * (256 / 255)).astype(np.uint16)

    def blend(self, picture: Picture, left: int, top: int) -> None:
        """Lay it over the picture with its upper left corner at even (left, top)."""
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + self.width, picture.width), min(top + self.height, picture.height)
        if x0 >= x1 or y0 >= y1:
            return
        there = slice(y0, y1), slice(x0, x1)
        here = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        _lay(picture.y[there], self._y[here], self._rest[here])
        there = slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2)
        here = slice((y0 - top) // 2, (y1 - top) // 2), slice((x0 - left) // 2, (x1 - left) // 2)
        _lay(picture.u[there], self._u[here], self._half_rest[here])
        _lay(picture.v[there], self._v[here], self._half_rest[here])


def _premultiplied(plane: Plane, alpha: npt.NDArray[np.float32]) -> _Wide:
    premultiplied: _Wide = np.rint(plane * alpha * (256 / 255)).astype(np.uint16)
    return premultiplied


def _lay(under: Plane, over: _Wide, rest: _Wide) -> None:
    mixed = under * rest  # at most 255 * 256: fits 16 bits, also with `over` added
    mixed += over
    mixed >>= 8
    under[...] = mixed

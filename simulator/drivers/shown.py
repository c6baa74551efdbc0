"""What the sensor delivers at this moment, as a JPEG for people who look at the simulated world.

It costs nothing while nobody asks: the camera's thread copies a picture only when one is wanted.
"""

from __future__ import annotations

import base64
import io
import threading
from typing import Final

import numpy as np
from PIL import Image

from simulator.drivers.hardware_messages import Answer, OpRefused, PictureOp
from simulator.drivers.picture import Picture, Plane

WITHIN_S: Final = 0.6
"""How long the next picture is waited for; a stalled sensor delivers none."""
_QUALITY: Final = 72
_DARKEST, _LUMA_STEPS, _CHROMA_STEPS, _GREY = 16, 219, 224, 128  # limited range (BT.601)


class Shown:
    """Hands the newest picture from the camera's thread to whoever asks on another one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wanted = False
        self._planes: tuple[Plane, Plane, Plane] | None = None

    def offer(self, picture: Picture) -> None:
        """The camera has painted this one. Copies it if somebody waits."""
        if not self._wanted:
            return
        with self._changed:
            self._planes = picture.y.copy(), picture.u.copy(), picture.v.copy()
            self._wanted = False
            self._changed.notify_all()

    def answer(self, request: PictureOp) -> Answer:
        """The next picture. Raises `OpRefused` if none comes."""
        with self._changed:
            self._planes = None
            self._wanted = True
            self._changed.wait_for(lambda: self._planes is not None, WITHIN_S)
            planes = self._planes
        if planes is None:
            raise OpRefused("the sensor delivers no picture")
        return Answer(ok=True, picture=base64.b64encode(jpeg(planes, request.width)).decode("ascii"))


def jpeg(planes: tuple[Plane, Plane, Plane], most_width: int) -> bytes:
    """Limited-range 4:2:0 planes as a JPEG, at most so many pixels wide."""
    height, width = planes[0].shape
    scale = min(1.0, most_width / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    luma, *chroma = planes
    y = _stretched(luma, _DARKEST, 0, _LUMA_STEPS)
    cb, cr = (_stretched(plane, _GREY, _GREY, _CHROMA_STEPS) for plane in chroma)
    parts = [Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR) for plane in (y, cb, cr)]
    out = io.BytesIO()
    Image.merge("YCbCr", parts).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _stretched(plane: Plane, middle: int, new_middle: int, steps: int) -> Plane:
    wide = (plane.astype(np.float32) - middle) * (255 / steps) + new_middle
    stretched: Plane = np.clip(np.rint(wide), 0, 255).astype(np.uint8)
    return stretched

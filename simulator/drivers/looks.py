"""What can be wrong with what a simulated camera sees, and the small picture for the device's own eyes.

A fault is painted over the picture before caption, strip and encoder get it, so that the encoded picture and the small
one show the same; caption and strip go on, as they come from the simulator and not from the sensor.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from simulator.drivers.picture import Picture

Look = Literal["normal", "black", "covered", "frozen", "defocused", "upside_down"]

_BLACK, _GREY = 16, 128  # limited range


class Looks:
    """One camera's present look. `show` is called for each picture, in order."""

    def __init__(self, width: int, height: int) -> None:
        self._kept = Picture(width, height)
        self._frozen = False
        self._chance = np.random.default_rng(0)

    def show(self, picture: Picture, look: Look, time_s: float) -> None:
        """Make of the picture, in place, what the sensor delivers while it has that look."""
        if look == "frozen":
            if not self._frozen:
                self._kept.copy_from(picture)
            picture.copy_from(self._kept)
        elif look == "black":
            picture.y[:] = _BLACK
            picture.u[:] = picture.v[:] = _GREY
        elif look == "covered":
            self._cover(picture, time_s)
        elif look == "defocused":
            radius_px = picture.width / 32
            for plane, radius in ((picture.y, radius_px), (picture.u, radius_px / 2), (picture.v, radius_px / 2)):
                plane[:] = np.asarray(Image.fromarray(plane).filter(ImageFilter.GaussianBlur(radius)))
        elif look == "upside_down":
            for plane in (picture.y, picture.u, picture.v):
                plane[:] = plane[::-1, ::-1].copy()
        self._frozen = look == "frozen"

    def _cover(self, picture: Picture, time_s: float) -> None:
        """A hand or cloth close to the lens: dim, without an edge, a little light from one side, the sensor's noise."""
        height, width = picture.y.shape
        side = 0.5 + 0.5 * np.sin(time_s * 0.3)
        across = np.linspace(1 - side, side, width, dtype=np.float32)[None, :]
        down = np.linspace(1, 0.6, height, dtype=np.float32)[:, None]
        noise = self._chance.normal(0, 2, (height, width)).astype(np.float32)
        picture.y[:] = np.clip(22 + 20 * across * down + noise, _BLACK, 235).astype(np.uint8)
        picture.u[:] = _GREY - 4
        picture.v[:] = _GREY + 8

"""Small pictures for the device's own eyes (`hal.camera.SmallPicture`), out of a luma plane."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from hal.camera import SmallPicture

WIDTH_PX: Final = 96
EVERY_NS: Final = 500_000_000
"""Two small pictures a second are enough."""


def small_picture(luma: npt.NDArray[np.uint8], captured_ns: int) -> SmallPicture:
    """A picture's luma, averaged down to 96 pixels in width and as many lines as keep its shape."""
    height, width = luma.shape
    lines = max(1, round(WIDTH_PX * height / width))
    rows = np.arange(lines + 1) * height // lines
    columns = np.arange(WIDTH_PX + 1) * width // WIDTH_PX
    sums = np.add.reduceat(np.add.reduceat(luma, rows[:-1], axis=0, dtype=np.uint32), columns[:-1], axis=1)
    areas = np.diff(rows)[:, None] * np.diff(columns)[None, :]
    small = ((sums + areas // 2) // areas).astype(np.uint8)
    return SmallPicture(WIDTH_PX, lines, small.tobytes(), captured_ns)

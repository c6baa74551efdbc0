"""A picture that numpy draws into and the encoder reads from, without a copy in between."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from hal.picture_encoder import plane_view

__all__ = ["Picture", "Plane", "plane_view", "to_yuv"]

Plane = npt.NDArray[np.uint8]


class Picture:
    """One YUV 4:2:0 picture, limited range, BT.601. Width and height are even."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.frame = av.VideoFrame(width, height, "yuv420p")
        self.y, self.u, self.v = (plane_view(plane) for plane in self.frame.planes)

    def copy_from(self, other: Picture) -> None:
        """Take over all of another picture of the same size."""
        np.copyto(self.y, other.y)
        np.copyto(self.u, other.u)
        np.copyto(self.v, other.v)

    def neutral_bottom(self, height_px: int) -> None:
        """Take the colour out of the lowest `height_px` (even) lines, where the strip goes."""
        top = (self.height - height_px) // 2
        self.u[top:] = 128
        self.v[top:] = 128


def to_yuv(image: Image.Image) -> tuple[Plane, Plane, Plane]:
    """Luma and two half-size chroma planes of an RGB image with even sides (BT.601, limited range)."""
    rgb = np.asarray(image.convert("RGB"), dtype=np.float32)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 16 + 0.2568 * red + 0.5041 * green + 0.0979 * blue
    cb = 128 - 0.1482 * red - 0.2910 * green + 0.4392 * blue
    cr = 128 + 0.4392 * red - 0.3678 * green - 0.0714 * blue
    return _rounded(luma), _rounded(halve(cb)), _rounded(halve(cr))


def halve(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Half the size in both directions, by the mean of four."""
    height, width = plane.shape
    mean: npt.NDArray[np.float32] = plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return mean


def _rounded(plane: npt.NDArray[np.float32]) -> Plane:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)

"""Where things of the scene appear in the picture: a pinhole camera behind a windshield."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """Metres (x right, y up, z ahead) to pixels. The camera is 1.4 m above the road, in the right lane."""

    width: int
    height: int
    visible_px: int
    """Height of the picture above the strip."""

    @property
    def focal_px(self) -> float:
        return min(0.8 * self.width, 1.6 * self.visible_px)

    @property
    def horizon_px(self) -> float:
        """The line of the horizon, pixels from the top."""
        return 0.47 * self.visible_px

    def px_per_m(self, z_m: float) -> float:
        """Size of a metre at a distance."""
        return self.focal_px / z_m

    def project(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
        """Pixels from the left and from the top."""
        scale = self.px_per_m(z_m)
        return self.width / 2 + x_m * scale, self.horizon_px + (CAMERA_HEIGHT_M - y_m) * scale


CAMERA_HEIGHT_M = 1.4

"""The generated scene: a street at dusk (or at night) seen through a patrol car's windshield.

The background is drawn once. A picture costs one copy of it, the dashes of the road, and a few small sprites. The same
seed and the same time give the same picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator import strip
from simulator.drivers import scene_actors
from simulator.drivers.picture import Picture, to_yuv
from simulator.drivers.scene_drawings import background
from simulator.drivers.scene_view import CAMERA_HEIGHT_M, View
from simulator.drivers.sprites import Sprite

_SPEED_M_S = 6.5  # a patrol at 23 km/h
_DASH_PERIOD_M = 8.0
_DASH_LENGTH_M = 3.0
_LINE_X_M = -1.78
_WALKER_PHASES = 12
_FARTHEST_M = 90.0
_LOOP_M = 96.0  # after so many metres the roadside repeats


@dataclass(frozen=True, slots=True)
class _Roadside:
    """Something that stands beside the road and passes by."""

    sprite: Sprite
    x_m: float
    at_m: float


class Scene:
    """Paints the scene into pictures of one size (even width and height, in pixels)."""

    def __init__(self, width: int, height: int, seed: int = 0, *, night: bool = False) -> None:
        visible_px = height - strip.strip_height_px(height)
        self._view = View(width, height, visible_px)
        self._empty = Picture(width, height)
        planes = to_yuv(background(self._view, seed, night=night))
        for mine, drawn in zip((self._empty.y, self._empty.u, self._empty.v), planes, strict=True):
            mine[...] = drawn
        self._night = night
        self._dashes = _Dashes(self._view)
        self._car = scene_actors.patrol_car(night=night)
        self._flashes = {
            colour: (scene_actors.flash(colour), scene_actors.road_glow(colour))
            for colour in (scene_actors.RED, scene_actors.BLUE)
        }
        self._walkers = [scene_actors.walker(i / _WALKER_PHASES, night=night) for i in range(_WALKER_PHASES)]
        self._roadside = _roadside(night=night)

    def paint(self, picture: Picture, time_s: float) -> None:
        """Fill the whole picture with the scene `time_s` seconds after its beginning."""
        picture.copy_from(self._empty)
        travelled_m = _SPEED_M_S * time_s
        self._dashes.paint(picture, travelled_m, 110 if self._night else 205)
        things = [((thing.at_m - travelled_m) % _LOOP_M, thing.x_m, thing.sprite) for thing in self._roadside]
        things.append(self._walker(time_s))
        car_z_m = 12.5 + 1.6 * math.sin(time_s * 0.35)
        car_x_m = 0.15 + 0.12 * math.sin(time_s * 0.9)
        for z_m, x_m, sprite in sorted(things, key=lambda thing: -thing[0]):
            if z_m > car_z_m:
                self._stand(picture, sprite, x_m, z_m)
        self._patrol_car(picture, car_x_m, car_z_m, time_s)
        for z_m, x_m, sprite in sorted(things, key=lambda thing: -thing[0]):
            if 2.5 < z_m <= car_z_m:
                self._stand(picture, sprite, x_m, z_m)

    def _stand(self, picture: Picture, sprite: Sprite, x_m: float, z_m: float) -> None:
        x_px, y_px = self._view.project(x_m, 0, z_m)
        if z_m < _FARTHEST_M and -0.6 * self._view.width < x_px < 1.6 * self._view.width:
            sprite.blend(picture, x_px, y_px, self._view.px_per_m(z_m))

    def _walker(self, time_s: float) -> tuple[float, float, Sprite]:
        """Somebody walks ahead on the right pavement; we come up slowly, pass, and meet the next one."""
        period_s = 11.0
        since_s = time_s % period_s
        z_m = 48.0 - 4.1 * since_s
        phase = int(time_s * 0.95 * _WALKER_PHASES) % _WALKER_PHASES
        return max(z_m, 0.1), 3.7, self._walkers[phase]

    def _patrol_car(self, picture: Picture, x_m: float, z_m: float, time_s: float) -> None:
        x_px, y_px = self._view.project(x_m, 0, z_m)
        scale = self._car.blend(picture, x_px, y_px, self._view.px_per_m(z_m))
        # A double flash of red on the left, then a double flash of blue on the right, 1.5 times a second.
        beat = (time_s * 1.5) % 1.0
        lit = (beat % 0.5) < 0.36 and not 0.12 < (beat % 0.5) < 0.20
        if not lit:
            return
        colour, side = (scene_actors.RED, -1) if beat < 0.5 else (scene_actors.BLUE, 1)
        bar, road = self._flashes[colour]
        road.blend(picture, x_px + side * 0.6 * scale, y_px + 0.15 * scale, scale)
        bar.blend(picture, x_px + side * 0.245 * scale, y_px - 1.615 * scale, scale)


class _Dashes:
    """The dashed line left of us: a mask with soft edges, of which each line of pixels is on or off."""

    def __init__(self, view: View) -> None:
        self._top = math.ceil(view.horizon_px) + 3
        rows = np.arange(self._top, view.visible_px, dtype=np.float32)
        below = rows + 0.5 - view.horizon_px
        scale = below / CAMERA_HEIGHT_M  # pixels per metre on the road
        self._z_m = view.focal_px / scale
        self._depth_m = view.focal_px * CAMERA_HEIGHT_M / below**2  # metres of road in one line of pixels
        middle = view.width / 2 + _LINE_X_M * scale
        half = np.maximum(0.07 * scale, 0.35)
        self._left = max(0, int((middle - half).min()) - 1)
        self._right = min(view.width, int((middle + half).max()) + 2)
        columns = np.arange(self._left, self._right, dtype=np.float32)[None, :] + 0.5
        self._mask = np.clip(half[:, None] + 0.5 - np.abs(columns - middle[:, None]), 0, 1)
        self._mask *= np.clip(0.25 + below / below.max() * 3, 0, 1)[:, None]  # haze far away

    def paint(self, picture: Picture, travelled_m: float, level: int) -> None:
        place = (self._z_m + travelled_m) % _DASH_PERIOD_M
        soft = np.maximum(self._depth_m, 0.08)
        on = _ramp(place / soft) * _ramp((_DASH_LENGTH_M - place) / soft)
        on = np.where(self._depth_m > _DASH_PERIOD_M / 4, _DASH_LENGTH_M / _DASH_PERIOD_M, on)
        under = picture.y[self._top : self._top + len(on), self._left : self._right]
        mixed = under + self._mask * on[:, None] * (level - under.astype(np.float32))
        under[...] = mixed.astype(np.uint8)


def _ramp(value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    clipped: npt.NDArray[np.float32] = np.clip(value + 0.5, 0, 1)
    return clipped


def _roadside(*, night: bool) -> list[_Roadside]:
    tree = scene_actors.tree(night=night)
    left, right = (scene_actors.street_lamp(side, night=night) for side in (-1, 1))
    things = [_Roadside(left, -6.6, at_m) for at_m in (4.0, 36.0, 68.0)]
    things += [_Roadside(right, 2.9, at_m) for at_m in (20.0, 52.0, 84.0)]
    things += [_Roadside(tree, 7.6, at_m) for at_m in (8.0, 33.0, 62.0, 76.0)]
    things += [_Roadside(tree, -10.8, at_m) for at_m in (15.0, 27.0, 49.0, 58.0, 80.0)]
    return things

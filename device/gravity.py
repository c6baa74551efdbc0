"""Which way is up, by the accelerometer: a body camera that hangs upside down, or has fallen off, films nothing (R12).

Pure. The picture itself cannot tell it reliably (`device.pictures`); without an accelerometer nobody does.
"""

from __future__ import annotations

import math
from typing import Final

from hal.motion import Acceleration

UPSIDE_DOWN_MG: Final = -600
"""Gravity along the camera's upward axis, thousandths of g: upright is 1000, upside down -1000."""
UPRIGHT_MG: Final = -300
LASTS_NS: Final = 10_000_000_000
"""Bending down, or a fight on the ground, is over sooner or has other troubles."""
SMOOTH: Final = 0.1
"""Weight of a new sample at ten samples a second: steps and blows do not count."""
SAMPLE_NS: Final = 100_000_000


class Gravity:
    """Smoothed gravity, at most ten samples a second of it. Any thread may add; one reads."""

    def __init__(self) -> None:
        self._up_mg: float | None = None
        self._last_ns = 0
        self._since_ns: int | None = None
        self._down = False

    def add(self, sample: Acceleration) -> None:
        """Take one sample; most of a fast sensor's are left out."""
        if self._up_mg is not None and sample.at_ns - self._last_ns < SAMPLE_NS:
            return
        self._last_ns = sample.at_ns
        self._up_mg = sample.y_mg if self._up_mg is None else self._up_mg + SMOOTH * (sample.y_mg - self._up_mg)
        down = self._up_mg < (UPRIGHT_MG if self._down else UPSIDE_DOWN_MG)
        if not down:
            self._since_ns, self._down = None, False
        elif self._since_ns is None:
            self._since_ns = sample.at_ns
        elif sample.at_ns - self._since_ns >= LASTS_NS:
            self._down = True

    @property
    def known(self) -> bool:
        """Whether an accelerometer has spoken at all."""
        return self._up_mg is not None

    @property
    def upside_down_since_ns(self) -> int | None:
        """Since when the camera is upside down; None if it is not, or nobody knows."""
        return self._since_ns if self._down else None


FREE_MG: Final = 400
"""A body that falls feels next to nothing."""
FALLS_NS: Final = 150_000_000
"""…and from a chest it falls for half a second; a step or a jolt is shorter."""
LANDS_NS: Final = 15_000_000_000
"""So long after a fall the camera is watched."""
LIES_NS: Final = 3_000_000_000
"""It lies where it fell if it has hung otherwise for so long."""
TURNED_COSINE: Final = 0.5
"""Gravity comes from another side: more than 60 degrees off."""
Vector = tuple[float, float, float]


class Fall:
    """Notices a camera that fell off: free fall, then gravity from another side (R12). Takes every sample."""

    def __init__(self) -> None:
        self._worn: Vector | None = None
        """Gravity as it was while the camera was worn, smoothed."""
        self._free_since_ns: int | None = None
        self._fell_ns: int | None = None
        self._turned_since_ns: int | None = None
        self._smoothed_ns = 0

    def add(self, sample: Acceleration) -> bool:
        """Take one sample; True once for each fall after which the camera lies otherwise than it was worn."""
        now: Vector = (sample.x_mg, sample.y_mg, sample.z_mg)
        if math.hypot(*now) < FREE_MG:
            if self._free_since_ns is None:
                self._free_since_ns = sample.at_ns
            elif sample.at_ns - self._free_since_ns >= FALLS_NS and self._worn is not None:
                self._fell_ns, self._turned_since_ns = sample.at_ns, None
            return False
        self._free_since_ns = None
        if self._fell_ns is None:
            self._wear(now, sample.at_ns)
            return False
        return self._after_a_fall(now, sample.at_ns)

    def _wear(self, now: Vector, at_ns: int) -> None:
        if self._worn is None:
            self._worn = now
        elif at_ns - self._smoothed_ns >= SAMPLE_NS:
            self._smoothed_ns = at_ns
            self._worn = tuple(old + SMOOTH * (new - old) for old, new in zip(self._worn, now, strict=True))  # type: ignore[assignment]

    def _after_a_fall(self, now: Vector, at_ns: int) -> bool:
        assert self._fell_ns is not None
        assert self._worn is not None
        if at_ns - self._fell_ns > LANDS_NS:
            self._fell_ns = self._worn = None  # it was caught, or is worn again
            return False
        length = math.hypot(*now) * math.hypot(*self._worn)
        if length and sum(a * b for a, b in zip(now, self._worn, strict=True)) / length >= TURNED_COSINE:
            self._turned_since_ns = None
        elif self._turned_since_ns is None:
            self._turned_since_ns = at_ns
        elif at_ns - self._turned_since_ns >= LIES_NS:
            self._fell_ns = self._turned_since_ns = self._worn = None
            return True
        return False

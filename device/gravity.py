"""Which way is up, by the accelerometer: a body camera that hangs upside down or has fallen off films nothing (R12).

Pure. The picture itself cannot tell it reliably (`device.pictures`); without an accelerometer nobody does.
"""

from __future__ import annotations

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

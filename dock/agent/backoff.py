"""Waits between attempts: doubled each time, with jitter, so that a room full of cameras does not knock in step."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Seconds to wait after a failure."""

    def __init__(
        self,
        first_s: float,
        max_s: float,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first_s, self._max_s, self._draw = first_s, max_s, draw
        self._failures = 0

    def next_s(self) -> float:
        """Between half and all of the step."""
        step = min(self._max_s, self._first_s * 2 ** min(self._failures, 30))
        self._failures += 1
        return self._draw(step / 2, step)

    def reset(self) -> None:
        """After a success."""
        self._failures = 0

"""How hot a camera's board gets: by what it does, the air around it, and the sun (R22). Pure.

One body with one time constant: each watt lifts it by some degrees above the air of its place, and it takes minutes
to get there. From 80 °C on the board slows itself down, as a Raspberry Pi does, and gives off less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from simulator.cell import Load

WATTS: Final[dict[Load, float]] = {"off": 0.0, "sleeping": 0.4, "ready": 2.6, "recording": 3.0, "uploading": 3.5}
C_PER_WATT: Final = 8.0
"""In a closed case without a fan."""
SUN_C: Final = 34.0
"""Full sun on a black case adds so much."""
CAR_C: Final = 22.0
"""…and a closed car in the same sun so much more to the air in it."""
SETTLES_S: Final = 300.0
"""Time constant of the case."""
THROTTLED_FROM_C: Final = 80.0
FREE_AGAIN_C: Final = 77.0
THROTTLED_SHARE: Final = 0.65
"""Of the usual watts while the board slows itself down."""
COLDEST_C: Final = -40.0
HOTTEST_C: Final = 150.0


@dataclass(slots=True)
class BoardHeat:
    """The board's temperature. `step` lets time pass."""

    celsius: float = 48.0
    ambient_c: float = 24.0
    sun: float = 0.0
    """0: shade or night, 1: full sun at noon."""
    in_car: bool = False
    """Behind the windshield of a car with closed windows."""
    throttled: bool = False

    @property
    def surroundings_c(self) -> float:
        """What a camera that is switched off gets as warm as."""
        return self.ambient_c + self.sun * (SUN_C + (CAR_C if self.in_car else 0.0))

    def settled_c(self, load: Load) -> float:
        """What it comes to if this goes on for ever."""
        watts = WATTS[load] * (THROTTLED_SHARE if self.throttled else 1.0)
        return self.surroundings_c + C_PER_WATT * watts

    def step(self, seconds: float, load: Load) -> None:
        """Let time pass while the camera does that."""
        left_s = seconds
        while left_s > 0:
            step_s = min(10.0, left_s)
            left_s -= step_s
            towards_c = self.settled_c(load)
            self.celsius = towards_c + (self.celsius - towards_c) * math.exp(-step_s / SETTLES_S)
            self.celsius = min(HOTTEST_C, max(COLDEST_C, self.celsius))
            self.throttled = self.celsius >= (FREE_AGAIN_C if self.throttled else THROTTLED_FROM_C)

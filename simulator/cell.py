"""A lithium cell: how it runs down by load, in the cold, and with age; how it is charged (R8, R22). Pure.

The figures are those of a usual 18650 or pouch cell: 80 % of its capacity are left after 500 cycles, its inner
resistance has doubled by then; at -20 °C it gives 60 % of its charge, and its resistance is four times as high. Between
the points of a table it goes in straight lines.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Literal

Load = Literal["off", "sleeping", "ready", "recording", "uploading"]
LOADS_MA: Final[dict[Load, int]] = {"off": 0, "sleeping": 45, "ready": 230, "recording": 260, "uploading": 320}
"""What the camera draws; ready costs nearly as much as recording, since the ring is filled all the time."""
OPEN_V: Final = (
    (0.0, 3.20), (0.02, 3.30), (0.04, 3.36), (0.07, 3.45), (0.1, 3.52), (0.2, 3.63), (0.4, 3.74), (0.6, 3.86),
    (0.8, 4.00), (1.0, 4.18),
)  # fmt: skip
"""Voltage without load, by share of the charge."""
COLD: Final = ((-30.0, 0.4), (-20.0, 0.6), (-10.0, 0.8), (0.0, 0.92), (10.0, 0.98), (20.0, 1.0))
"""Share of the capacity that can be had, by temperature."""
FADE_PER_CYCLE: Final = 0.2 / 500
NEW_OHM: Final = 0.085
COLD_OHM_C: Final = 30.0
"""The resistance grows by e for each so many degrees below 25 °C."""
TAPER_FROM: Final = 0.8
"""From this share on the charger gives less and less."""
LEAST_TAPER: Final = 0.05
CUT_OFF_V: Final = 3.0
"""The board browns out below."""
_STEP_S: Final = 60.0


@dataclass(slots=True)
class Cell:
    """One cell, by its charge. `step` lets time pass."""

    capacity_mah: float = 3000.0
    """What a full charge is today, in the warm."""
    cycles: int = 41
    temperature_c: float = 24.0
    charge_mah: float = 3000.0
    """What is in it; in the cold not all of it can be had."""

    @property
    def usable_mah(self) -> float:
        """What a full charge gives at this temperature."""
        return self.capacity_mah * _between(COLD, self.temperature_c)

    @property
    def share(self) -> float:
        """Of the charge that can be had, 0 to 1."""
        usable_mah = self.usable_mah
        return min(1.0, max(0.0, (self.charge_mah - (self.capacity_mah - usable_mah)) / usable_mah))

    def fill(self, share: float) -> None:
        """Set what can be had at this temperature, 0 to 1."""
        self.charge_mah = self.capacity_mah - self.usable_mah * (1 - share)

    def age(self, design_mah: float, cycles: int) -> None:
        """The same charge state in a cell after so many cycles."""
        share = self.share
        self.cycles = cycles
        self.capacity_mah = design_mah * max(0.3, 1 - FADE_PER_CYCLE * cycles)
        self.fill(share)

    @property
    def ohm(self) -> float:
        """Inner resistance: with age and cold it grows."""
        cold = math.exp(max(0.0, 25.0 - self.temperature_c) / COLD_OHM_C)
        return NEW_OHM * (1 + self.cycles / 500) * cold

    def voltage(self, load_ma: float) -> float:
        """Volts under that load; a negative one charges."""
        return max(0.0, _between(OPEN_V, self.share) - load_ma / 1000 * self.ohm)

    def browns_out(self, load_ma: float) -> bool:
        """Whether the board fails under that load, whatever the gauge says."""
        return self.voltage(load_ma) < CUT_OFF_V

    def hours(self, load_ma: float) -> float | None:
        """How long it lasts under that load; None without one."""
        return self.share * self.usable_mah / load_ma if load_ma > 0 else None

    def step(self, seconds: float, load_ma: float) -> None:
        """Let time pass under a load; a negative one charges, less and less towards the end."""
        left_s = seconds
        while left_s > 0:
            step_s = min(_STEP_S, left_s)
            left_s -= step_s
            flow_ma = load_ma if load_ma >= 0 else load_ma * self._taper()
            empty_mah = self.capacity_mah - self.usable_mah
            lowest_mah = min(empty_mah, self.charge_mah)
            charge_mah = self.charge_mah - flow_ma * step_s / 3600
            self.charge_mah = min(self.capacity_mah, max(lowest_mah, charge_mah))

    def _taper(self) -> float:
        if self.share <= TAPER_FROM:
            return 1.0
        return max(LEAST_TAPER, (1 - self.share) / (1 - TAPER_FROM))


def _between(table: tuple[tuple[float, float], ...], at: float) -> float:
    """The value at `at`, in a straight line between two points of a table, and constant beyond its ends."""
    place = bisect_right(table, (at, math.inf))
    if place == 0:
        return table[0][1]
    if place == len(table):
        return table[-1][1]
    (x0, y0), (x1, y1) = table[place - 1], table[place]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)

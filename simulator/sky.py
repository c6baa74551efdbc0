"""What a receiver hears of the sky: satellites, their levels, and what precision their places give. Pure, seeded.

Twelve satellites that wander slowly and neither rise nor set. Levels, precision and error are of the size that real
receivers log (tests hold them against three such logs).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final, Literal

from simulator.nmea import NO_DOP, Dilution, Satellite

View = Literal["open", "canyon", "none"]
"""The whole sky; a street between high houses; a garage or a tunnel."""
_SATELLITES: Final = (
    (2, 62, 301, 37), (5, 38, 214, 32), (7, 21, 68, 24), (11, 17, 148, 22), (13, 55, 92, 38), (15, 44, 187, 34),
    (20, 12, 272, 21), (24, 8, 33, 20), (29, 33, 316, 31), (30, 71, 20, 40), (9, 4, 129, None), (21, 2, 345, None),
)  # fmt: skip
_TURN_PER_S: Final = 0.004
"""Degrees of azimuth that a satellite moves in a second."""
_LEVEL_KEEPS: Final = 0.92
_LEVEL_DB: Final = 0.5
_USED_DB: Final = 12
_ROOFS: Final = 50
"""Degrees: between houses only higher satellites are heard, besides those along the street."""
_ALONG: Final = 28
SPOOFER_DB: Final = 49
"""A transmitter nearby sounds like satellites that are all equally strong."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The sky at one moment."""

    in_view: tuple[Satellite, ...]
    used: tuple[int, ...]
    dilution: Dilution


class Sky:
    """The sky above one receiver."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(f"sky {seed}")
        self._fading = [0.0] * len(_SATELLITES)
        self._dilutions: dict[tuple[tuple[int, int], ...], Dilution] = {}

    def look(self, second: float, view: View, course: float, *, spoofed: bool = False, most: int = 12) -> Seen:
        """The sky `second` after the start; `course` is the street's. At most `most` satellites are used."""
        in_view: list[Satellite] = []
        for index, (prn, height, azimuth, level) in enumerate(_SATELLITES):
            self._fading[index] = _LEVEL_KEEPS * self._fading[index] + self._chance.gauss(0, _LEVEL_DB)
            now = round(azimuth + _TURN_PER_S * second) % 360
            heard = self._level(height, now, level, self._fading[index], view, course, spoofed)
            in_view.append(Satellite(prn, height, now, heard))
        used = [one for one in in_view if one.level is not None and (one.level >= _USED_DB or spoofed)]
        if len(used) > most:
            loud = sorted(used, key=lambda one: one.level or 0, reverse=True)[:most]
            used = [one for one in used if one in loud]
        return Seen(tuple(in_view), tuple(one.prn for one in used), self._dilution(used))

    @staticmethod
    def _level(
        height: int, azimuth: int, level: int | None, fading: float, view: View, course: float, spoofed: bool
    ) -> int | None:
        """How loud a satellite is heard, dBHz; None: not at all."""
        if spoofed:
            return SPOOFER_DB + round(fading / 3)
        if level is None or view == "none":
            return None
        faded = level + fading
        if view == "canyon" and height < _ROOFS:
            off = abs((azimuth - course + 90) % 180 - 90)  # a street runs both ways
            if off > _ALONG:
                faded -= 21  # what comes round the corner of a house
        heard = round(faded)
        return heard if heard >= 8 else None

    def _dilution(self, used: list[Satellite]) -> Dilution:
        key = tuple((one.height, one.azimuth) for one in used)
        if key not in self._dilutions:
            if len(self._dilutions) > 500:
                self._dilutions.clear()
            self._dilutions[key] = dilution(used)
        return self._dilutions[key]


def dilution(used: list[Satellite]) -> Dilution:
    """The precision that the places of these satellites give. Three of them: with a height that is known already."""
    if len(used) < 3:
        return Dilution(NO_DOP, NO_DOP, NO_DOP)
    rows = []
    for one in used:
        height, azimuth = math.radians(one.height), math.radians(one.azimuth)
        east, north = math.cos(height) * math.sin(azimuth), math.cos(height) * math.cos(azimuth)
        rows.append((east, north, math.sin(height), 1.0))
    if len(used) == 3:
        rows.append((0.0, 0.0, 1.0, 0.0))
    normal = [[sum(row[i] * row[j] for row in rows) for j in range(4)] for i in range(4)]
    inverse = _inverse(normal)
    if inverse is None:
        return Dilution(NO_DOP, NO_DOP, NO_DOP)
    east2, north2, up2 = (max(0.0, inverse[i][i]) for i in range(3))
    found = (math.sqrt(east2 + north2 + up2), math.sqrt(east2 + north2), math.sqrt(up2))
    position, horizontal, vertical = (min(NO_DOP, value) for value in found)
    return Dilution(position, horizontal, vertical)


def _inverse(matrix: list[list[float]]) -> list[list[float]] | None:
    """Gauss and Jordan; None for a matrix that has none."""
    size = len(matrix)
    rows = [[*row, *(1.0 if i == j else 0.0 for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        best = max(range(column, size), key=lambda row: abs(rows[row][column]))
        if abs(rows[best][column]) < 1e-9:
            return None
        rows[column], rows[best] = rows[best], rows[column]
        pivot = rows[column][column]
        rows[column] = [value / pivot for value in rows[column]]
        for row in range(size):
            if row != column:
                factor = rows[row][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [row[size:] for row in rows]

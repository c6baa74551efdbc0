"""How hot the board is, in bands with hysteresis: told and logged, and a hot camera records with fewer bits (R22).

Pure: temperatures and CLOCK_BOOTTIME in, a band out. A band is entered after `CONFIRM_NS` above its limit and left
after `CONFIRM_NS` below it by `HYSTERESIS_MC`. A board that slows itself down is hot whatever its sensors say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

SECOND: Final = 1_000_000_000
CONFIRM_NS: Final = 6 * SECOND
HYSTERESIS_MC: Final = 5_000
HOT_BATTERY_DC: Final = 550
"""Tenths of a degree; cells are damaged from 60 °C on."""

Band = Literal["normal", "warm", "hot", "critical"]
BANDS: Final[tuple[Band, ...]] = ("normal", "warm", "hot", "critical")
LIMITS_MC: Final[dict[Band, int]] = {"warm": 65_000, "hot": 75_000, "critical": 85_000}
"""A Raspberry Pi slows itself down from 80 °C on, and hard at 85 °C."""


class HeatWatch:
    """Judges the board's temperature, reading after reading."""

    def __init__(self) -> None:
        self.band: Band = "normal"
        self._seen: Band = "normal"
        self._since_ns = 0

    def look(self, zones_mc: Mapping[str, int], throttled: bool, battery_dc: int | None, now_ns: int) -> Band:
        """The band with one more reading."""
        seen = self._plain(max(zones_mc.values(), default=0))
        if throttled or (battery_dc is not None and battery_dc >= HOT_BATTERY_DC):
            seen = max(seen, "hot", key=BANDS.index)
        if seen != self._seen:
            self._seen, self._since_ns = seen, now_ns
        if now_ns - self._since_ns >= CONFIRM_NS:
            self.band = seen
        return self.band

    def _plain(self, hottest_mc: int) -> Band:
        found: Band = "normal"
        for band, limit in LIMITS_MC.items():
            inside = BANDS.index(self.band) >= BANDS.index(band)
            if hottest_mc >= limit - (HYSTERESIS_MC if inside else 0):
                found = band
        return found

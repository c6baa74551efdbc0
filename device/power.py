"""How long the battery lasts, and what follows: told, fewer bits, and at the very end an orderly switch-off (R8, R22).

Pure: readings of the fuel gauge and CLOCK_BOOTTIME in, a judgement out. The rules:

1. Minutes left are those to the switch-off at `off_percent`, not to the last drop. They come from the gauge's own time
   to empty, else from charge and current, else from how the percentage has fallen (at least five minutes and two
   points of it). Which one is said.
2. A level holds once it has been seen for `CONFIRM_NS` in at least three readings; one odd reading changes nothing.
3. `empty` needs a gauge that is believed. One that jumped (more than `JUMP_PERCENT` between two readings), or that was
   empty when the camera began, is believed only if the cell's voltage is low as well, or once it is near again.
4. A gauge that cannot be read is a fault, never a level: what was true before stays.
5. A camera that is charged is `good`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from hal.battery import BatteryReading

SECOND: Final = 1_000_000_000
CONFIRM_NS: Final = 6 * SECOND
CONFIRM_READINGS: Final = 3
JUMP_PERCENT: Final = 15
LOW_CELL_UV: Final = 3_350_000
"""Under load a lithium cell is nearly empty below this."""
MOST_CELL_UV: Final = 5_000_000
"""A pack of several cells has more; its voltage says nothing here."""
SLOPE_NS: Final = 30 * 60 * SECOND
LEAST_SLOPE_NS: Final = 5 * 60 * SECOND
LOW_PERCENT: Final = 15
CRITICAL_PERCENT: Final = 7
"""Levels of a gauge that lets nobody predict minutes."""
MARGIN_MIN: Final = 3
"""A level is left only that many minutes above its limit, so that it does not flutter."""

Level = Literal["good", "low", "critical", "empty"]
Basis = Literal["gauge", "charge", "slope", "none"]
ORDER: Final[tuple[Level, ...]] = ("good", "low", "critical", "empty")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the policy: minutes and percent."""

    low_min: int
    critical_min: int
    off_percent: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """Minutes to the switch-off at the present draw; None = it cannot be said, or the battery is charged."""

    minutes: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the battery is like now."""

    level: Level
    prediction: Prediction
    believed: bool
    """False for a gauge that jumped without a reason: it may warn, and never switches off."""


NOTHING: Final = Prediction(None, "none")


def discharging(reading: BatteryReading) -> bool:
    """Whether the camera lives on its battery. A gauge without a status is judged by its current."""
    if reading.status == "unknown":
        return reading.current_ua is None or reading.current_ua < 0
    return reading.status == "discharging"


def share_above(percent: int | None, off_percent: int) -> float:
    """Which share of the present charge lies above the switch-off. A gauge that gives no percentage: all of it."""
    return 1.0 if percent is None else max(0, percent - off_percent) / max(percent, 1)


class Forecast:
    """Predicts the time left out of readings: until `off_percent`, where the camera switches off."""

    def __init__(self, off_percent: int = 0) -> None:
        self._off_percent = off_percent
        self._fallen: deque[tuple[int, int]] = deque()
        """(CLOCK_BOOTTIME, percent) wherever the percentage changed while discharging."""

    def look(self, reading: BatteryReading, now_ns: int) -> Prediction:
        """The prediction with one more reading."""
        if not discharging(reading):
            self._fallen.clear()
            return NOTHING
        self._note(reading.percent, now_ns)
        usable = share_above(reading.percent, self._off_percent)
        if reading.time_to_empty_s is not None:
            return Prediction(reading.time_to_empty_s / 60 * usable, "gauge")
        if reading.charge_now_uah is not None and reading.current_ua is not None and reading.current_ua < 0:
            return Prediction(reading.charge_now_uah / -reading.current_ua * 60 * usable, "charge")
        return self._slope(reading.percent, now_ns)

    def _note(self, percent: int | None, now_ns: int) -> None:
        if percent is None:
            return
        if self._fallen and percent > self._fallen[-1][1]:
            self._fallen.clear()  # it was charged, or the gauge has thought again
        if not self._fallen or percent < self._fallen[-1][1]:
            self._fallen.append((now_ns, percent))
        while len(self._fallen) > 2 and now_ns - self._fallen[1][0] > SLOPE_NS:
            self._fallen.popleft()

    def _slope(self, percent: int | None, now_ns: int) -> Prediction:
        if percent is None or len(self._fallen) < 2:
            return NOTHING
        began_ns, began = self._fallen[0]
        if began - percent < 2 or now_ns - began_ns < LEAST_SLOPE_NS:
            return NOTHING
        above = max(0, percent - self._off_percent)
        return Prediction(above * (now_ns - began_ns) / (began - percent) / (60 * SECOND), "slope")


class PowerWatch:
    """Judges reading after reading."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._forecast = Forecast(limits.off_percent)
        self._level: Level = "good"
        self._seen: Level = "good"
        self._seen_since_ns = 0
        self._seen_readings = 0
        self._percent: int | None = None
        """The last one that was believed."""

    def look(self, reading: BatteryReading, now_ns: int) -> Judgement:
        """The judgement with one more reading."""
        prediction = self._forecast.look(reading, now_ns)
        believed = self._believed(reading)
        if not discharging(reading):
            self._level = self._seen = "good"
            return Judgement("good", prediction, believed)
        level = self._plain(reading, prediction, believed)
        if level != self._seen:
            self._seen, self._seen_since_ns, self._seen_readings = level, now_ns, 0
        self._seen_readings += 1
        if now_ns - self._seen_since_ns >= CONFIRM_NS and self._seen_readings >= CONFIRM_READINGS:
            self._level = level
        return Judgement(self._level, prediction, believed)

    def _plain(self, reading: BatteryReading, prediction: Prediction, believed: bool) -> Level:
        """What this one reading says."""
        limits, percent = self._limits, reading.percent
        if percent is not None and percent <= limits.off_percent and believed:
            return "empty"
        if prediction.minutes is None:
            if percent is None:
                return "good"
            return "critical" if percent <= CRITICAL_PERCENT else "low" if percent <= LOW_PERCENT else "good"
        at = ORDER.index(self._level)
        if prediction.minutes <= limits.critical_min + (MARGIN_MIN if at >= ORDER.index("critical") else 0):
            return "critical"
        if prediction.minutes <= limits.low_min + (MARGIN_MIN if at >= ORDER.index("low") else 0):
            return "low"
        return "good"

    def _believed(self, reading: BatteryReading) -> bool:
        percent = reading.percent
        if percent is None:
            return False
        before = self._percent
        if discharging(reading):
            odd = percent <= self._limits.off_percent if before is None else before - percent > JUMP_PERCENT
            if odd and not _cell_is_low(reading):
                return False
            if before is not None and percent - before > JUMP_PERCENT:
                return True  # too good: harmless, and nothing to measure the next reading by
        self._percent = percent
        return True


def _cell_is_low(reading: BatteryReading) -> bool:
    voltage = reading.voltage_uv
    return voltage is not None and voltage < MOST_CELL_UV and voltage <= LOW_CELL_UV


def health_percent(reading: BatteryReading) -> int | None:
    """What a full charge is today, in percent of the design: cells age."""
    full, design = reading.charge_full_uah, reading.charge_full_design_uah
    return full * 100 // design if full is not None and design else None


def runtime_h(
    reading: BatteryReading, prediction: Prediction, usual_ua: int | None, off_percent: int = 0
) -> float | None:
    """Hours until the switch-off: by the prediction, in the dock by the usual draw of this camera."""
    if prediction.minutes is not None:
        return prediction.minutes / 60
    if reading.charge_now_uah is not None and usual_ua:
        return reading.charge_now_uah / usual_ua * share_above(reading.percent, off_percent)
    return None

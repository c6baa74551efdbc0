"""The self-test's rows about power: charge, ageing, runtime against the shift, and heat (R8). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from device.heat import Band
from device.policy import Profile
from device.power import NOTHING, Prediction, health_percent, runtime_h
from device.selftest import Seen
from hal.battery import BatteryReading

REPAIR = "have the fuel gauge repaired"
COLDEST_DC, HOTTEST_DC = -200, 600
"""Tenths of a degree in which lithium cells may be discharged."""


def charge(reading: BatteryReading | None, fault: str | None, profile: Profile) -> Seen:
    """The gauge answers, the charge is enough, the cell neither frozen nor hot."""
    limit = f"{profile.min_battery_percent} %, {COLDEST_DC / 10:g} to {HOTTEST_DC / 10:g} °C"
    if reading is None:
        return Seen("fail" if fault else "not_present", fault or "no fuel gauge is configured", limit, REPAIR)
    if reading.percent is None:
        return Seen("fail", "the gauge gives no charge", limit, REPAIR)
    value = f"{reading.percent} % ({reading.status.replace('_', ' ')})"
    if reading.temperature_dc is not None:
        value += f", {reading.temperature_dc / 10:.0f} °C"
        if not COLDEST_DC <= reading.temperature_dc <= HOTTEST_DC:
            return Seen("fail", value, limit, "take the battery out of the camera and have it looked at")
    good = reading.percent >= profile.min_battery_percent
    return Seen("pass" if good else "fail", value, limit, "charge the camera")


def health(reading: BatteryReading | None, profile: Profile) -> Seen:
    """A full charge is still near to what the cell was made for."""
    limit = f"{profile.min_battery_health_percent} % of the design"
    if reading is None or (percent := health_percent(reading)) is None:
        return Seen("pass", "the gauge does not say", limit)
    cycles = f", {reading.cycles} cycles" if reading.cycles is not None else ""
    good = percent >= profile.min_battery_health_percent
    return Seen("pass" if good else "fail", f"{percent} % of the design{cycles}", limit, "replace the battery")


def minutes(
    reading: BatteryReading | None, profile: Profile, prediction: Prediction, usual_ua: int | None
) -> int | None:
    """Whole minutes until the switch-off; None if that cannot be said."""
    hours = runtime_h(reading, prediction, usual_ua, profile.power_off_percent) if reading is not None else None
    return max(0, int(hours * 60)) if hours is not None else None


def runtime(
    reading: BatteryReading | None, profile: Profile, prediction: Prediction = NOTHING, usual_ua: int | None = None
) -> Seen:
    """The charge lasts for the shift, by the present draw or, in the dock, by what this camera usually draws."""
    limit = f"{profile.shift_h} h" if profile.shift_h else "not asked"
    hours = runtime_h(reading, prediction, usual_ua, profile.power_off_percent) if reading is not None else None
    if hours is None:
        return Seen("pass", "not known before the camera has run on its battery", limit)
    value = f"{hours:.1f} h by {prediction.basis if prediction.minutes is not None else 'the usual draw'}"
    return Seen("pass" if hours >= profile.shift_h else "fail", value, limit, "charge the camera, or take another one")


def thermal(zones_mc: Mapping[str, int] | None, fault: str | None, band: Band, throttled: bool) -> Seen:
    """The board is not hot and does not slow itself down."""
    limit = "below 75 °C, not throttled"
    if zones_mc is None:
        return Seen("fail" if fault else "not_present", fault or "no thermal driver is configured", limit, REPAIR)
    hottest = max(zones_mc, key=lambda zone: zones_mc[zone])
    value = f"{zones_mc[hottest] / 1000:.0f} °C ({hottest})" + (", throttled" if throttled else "")
    good = band in ("normal", "warm") and not throttled
    return Seen(
        "pass" if good else "fail", value, limit, "let the camera cool down; check its supply if it is throttled"
    )

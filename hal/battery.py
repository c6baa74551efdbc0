"""The battery seam: one reading of the fuel gauge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ChargeStatus = Literal["charging", "discharging", "full", "not_charging", "unknown"]


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """What the gauge says. None = the gauge does not report it."""

    status: ChargeStatus
    percent: int | None = None
    """State of charge, 0..100."""
    voltage_uv: int | None = None
    current_ua: int | None = None
    """Microampere, negative while discharging."""
    charge_now_uah: int | None = None
    charge_full_uah: int | None = None
    charge_full_design_uah: int | None = None
    cycles: int | None = None
    temperature_dc: int | None = None
    """Tenths of a degree Celsius."""
    time_to_empty_s: int | None = None


class Battery(Protocol):
    """A fuel gauge."""

    def read(self) -> BatteryReading:
        """One reading. Raises `hal.errors.BatteryLost` if the gauge cannot be read (a fault, not an empty cell)."""
        ...

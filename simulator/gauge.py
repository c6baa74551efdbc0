"""A fuel gauge on a cell, and the ways in which it is wrong. Pure; the kernel's values come out.

`simulator.battery_feed` writes them into files for the camera's real driver; in one process `reading` is what that
driver would say of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hal.battery import BatteryReading, ChargeStatus
from hal.battery_power_supply import reading_of
from hal.errors import BatteryLost
from simulator.cell import LOADS_MA, Cell, Load

STATUS_WORDS: Final[dict[ChargeStatus, str]] = {
    "charging": "Charging",
    "discharging": "Discharging",
    "full": "Full",
    "not_charging": "Not charging",
    "unknown": "Unknown",
}
FULL_FROM: Final = 0.9995


@dataclass
class Gauge:
    """What the gauge says of its cell. `step` lets time pass."""

    cell: Cell = field(default_factory=Cell)
    status: ChargeStatus = "discharging"
    design_mah: int = 3100
    load_ma: int = LOADS_MA["recording"]
    """What the camera draws; about 11 hours for the default cell."""
    charge_ma: int = 1500
    surge_ma: int = 0
    """Drawn besides, by what should not: a short, a radio gone mad."""
    says_percent: int | None = None
    """A gauge that says this, whatever the cell has; None: the truth."""
    gone: bool = False
    """It does not answer: a broken contact."""

    @property
    def percent(self) -> float:
        """The true state of charge at this temperature."""
        return self.cell.share * 100

    @property
    def flow_ma(self) -> float:
        """What comes out of the cell; negative while it is charged."""
        drawn = {"discharging": self.load_ma + self.surge_ma, "charging": -self.charge_ma}
        return drawn.get(self.status, 0)

    def works(self, load: Load) -> None:
        """The camera does that now."""
        self.load_ma = LOADS_MA[load]

    def step(self, seconds: float) -> None:
        """Let so much time pass; a full cell is not charged any more."""
        self.cell.step(seconds, self.flow_ma)
        if self.status == "charging" and self.cell.share >= FULL_FROM:
            self.cell.fill(1.0)
            self.status = "full"

    def values(self) -> dict[str, str | int]:
        """The kernel's keys of ``/sys/class/power_supply/NAME/uevent``, without their prefix, in its units."""
        cell, flow_ma = self.cell, self.flow_ma
        share = cell.share if self.says_percent is None else self.says_percent / 100
        charge_uah = round(cell.usable_mah * 1000 * share)
        values: dict[str, str | int] = {
            "TYPE": "Battery",
            "STATUS": STATUS_WORDS[self.status],
            "PRESENT": 1,
            "TECHNOLOGY": "Li-ion",
            "CAPACITY": round(share * 100),
            "VOLTAGE_NOW": round(cell.voltage(flow_ma) * 1_000_000),
            "CURRENT_NOW": round(-flow_ma * 1000),
            "CHARGE_NOW": charge_uah,
            "CHARGE_FULL": round(cell.capacity_mah * 1000),
            "CHARGE_FULL_DESIGN": self.design_mah * 1000,
            "CYCLE_COUNT": cell.cycles,
            "TEMP": round(cell.temperature_c * 10),
        }
        if flow_ma > 0:
            values["TIME_TO_EMPTY_AVG"] = round(charge_uah / 1000 / flow_ma * 3600)
        return values

    def reading(self) -> BatteryReading:
        """What the camera's driver makes of it. Raises `BatteryLost` if the gauge is gone."""
        if self.gone:
            raise BatteryLost("the gauge does not answer: check the battery's contacts")
        return reading_of({key: str(value) for key, value in self.values().items()})

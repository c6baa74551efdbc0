"""A fuel gauge as the kernel shows it: the files of ``/sys/class/power_supply``, written by the simulator.

The camera's real battery driver reads them. Units are the kernel's: microvolt, microampere, microampere-hour, tenths of
a degree Celsius, seconds.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from hal.battery import ChargeStatus

_STATUS_WORDS: dict[ChargeStatus, str] = {
    "charging": "Charging",
    "discharging": "Discharging",
    "full": "Full",
    "not_charging": "Not charging",
    "unknown": "Unknown",
}
_EMPTY_UV = 3_300_000
_FULL_UV = 4_180_000


@dataclass(slots=True)
class BatteryFeed:
    """One lithium cell under ``root/battery``; `set` and `tick` write, `remove` takes the gauge away."""

    root: Path
    """The directory that stands for /sys/class/power_supply; created if it is missing."""
    percent: float = 100.0
    status: ChargeStatus = "discharging"
    temperature_c: float = 24.0
    capacity_mah: int = 3000
    design_mah: int = 3100
    cycles: int = 41
    load_ma: int = 260
    """What the camera draws; about 11 hours for the default cell."""
    charge_ma: int = 1500

    def __post_init__(self) -> None:
        self._write()

    @property
    def directory(self) -> Path:
        return self.root / "battery"

    def set(
        self,
        *,
        percent: float | None = None,
        status: ChargeStatus | None = None,
        temperature_c: float | None = None,
        load_ma: int | None = None,
    ) -> None:
        """Change some values and write them; also brings a removed gauge back. Raises ValueError out of range."""
        if percent is not None:
            if not 0 <= percent <= 100:
                raise ValueError(f"{percent} % is not a state of charge")
            self.percent = percent
        if status is not None:
            if status not in _STATUS_WORDS:
                raise ValueError(f"status {status!r}: choose one of {', '.join(_STATUS_WORDS)}")
            self.status = status
        if temperature_c is not None:
            self.temperature_c = temperature_c
        if load_ma is not None:
            self.load_ma = load_ma
        self._write()

    def tick(self, elapsed_s: float) -> None:
        """Let `elapsed_s` pass: the charge falls or rises in a straight line."""
        flow_ma = {"discharging": -self.load_ma, "charging": self.charge_ma}.get(self.status, 0)
        moved = 100 * flow_ma * elapsed_s / 3600 / self.capacity_mah
        self.percent = min(100.0, max(0.0, self.percent + moved))
        if self.status == "charging" and self.percent >= 100:
            self.status = "full"
        self._write()

    def remove(self) -> None:
        """The gauge vanishes, as with a broken contact. May be called twice."""
        if not self.directory.is_dir():
            return
        # uevent first: a reader finds the whole gauge, or none.
        (self.directory / "uevent").unlink(missing_ok=True)
        for file in self.directory.iterdir():
            file.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.directory.rmdir()

    def _write(self) -> None:
        values = self._values()
        self.directory.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            self._put(key.lower(), f"{value}\n")
        lines = [f"POWER_SUPPLY_{key}={value}\n" for key, value in values.items()]
        self._put("uevent", "POWER_SUPPLY_NAME=battery\n" + "".join(lines))

    def _put(self, name: str, text: str) -> None:
        """Replace one file at once: a reader sees the old or the new one. Not durable, and need not be."""
        new = self.directory / f".{name}.new"
        new.write_text(text, encoding="ascii")
        new.rename(self.directory / name)

    def _values(self) -> dict[str, str | int]:
        flow_ma = {"discharging": -self.load_ma, "charging": self.charge_ma}.get(self.status, 0)
        charge_uah = round(self.capacity_mah * 1000 * self.percent / 100)
        values: dict[str, str | int] = {
            "TYPE": "Battery",
            "STATUS": _STATUS_WORDS[self.status],
            "PRESENT": 1,
            "TECHNOLOGY": "Li-ion",
            "CAPACITY": round(self.percent),
            "VOLTAGE_NOW": round(_EMPTY_UV + (_FULL_UV - _EMPTY_UV) * self.percent / 100),
            "CURRENT_NOW": flow_ma * 1000,
            "CHARGE_NOW": charge_uah,
            "CHARGE_FULL": self.capacity_mah * 1000,
            "CHARGE_FULL_DESIGN": self.design_mah * 1000,
            "CYCLE_COUNT": self.cycles,
            "TEMP": round(self.temperature_c * 10),
        }
        if flow_ma < 0:
            values["TIME_TO_EMPTY_AVG"] = round(charge_uah / 1000 / -flow_ma * 3600)
        return values

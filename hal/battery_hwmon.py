"""A current and voltage monitor as the battery's gauge: INA219, INA226 and their kind, by ``/sys/class/hwmon``.

Documentation/hwmon/sysfs-interface: ``in1_input`` is the bus voltage in mV, ``curr1_input`` the current in mA. Such a
chip knows no charge: that comes out of the voltage and a discharge curve (`hal.discharge_curve`).
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import Final

from hal.battery import BatteryReading, ChargeStatus
from hal.discharge_curve import curve_of, percent_at
from hal.driver_options import flag, whole_number
from hal.errors import BadDriverOption, BatteryLost
from hal.sysfs import read_text, text_of

LOWEST_CELL_UV: Final = 2_000_000
HIGHEST_CELL_UV: Final = 4_600_000
"""No cell of a camera has less or more: the chip or its wiring is at fault, not the charge."""
MOST_MA: Final = 50_000
SMOOTHED: Final = 15
"""Readings (half a minute) that are averaged: a burst of work must not move the percentage."""
FULL_PERCENT: Final = 97
_MOST_BYTES: Final = 64
_NUMBER = re.compile(r"-?[0-9]{1,7}")


class HwmonBattery:
    """The `hal.battery.Battery` behind the monitor `name` (as it names itself under `root`; the first one counts).

    `chemistry` is ``li-ion``, ``li-ion-4v35`` or ``lifepo4``; `curve`, a list of [mV of a cell at rest, percent], takes
    its place for a cell that was measured. `cells` in series share the voltage, `resistance_mohm` is the inner
    resistance of the pack with its leads, `capacity_mah` its capacity if minutes are to be predicted. A current above
    `idle_ma` charges, below -`idle_ma` it discharges; `invert_current` is for a board whose shunt is turned around.
    Nothing is opened before `read`.

    Raises `BadDriverOption`.
    """

    def __init__(
        self,
        name: str = "ina219",
        chemistry: str = "li-ion",
        curve: list[list[int]] | None = None,
        cells: int = 1,
        resistance_mohm: int = 100,
        capacity_mah: int | None = None,
        idle_ma: int = 20,
        invert_current: bool = False,
        root: str = "/sys/class/hwmon",
    ) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise BadDriverOption(f"battery: name must be that of a hwmon chip such as ina219, not {name!r}")
        if not isinstance(root, str) or not root:
            raise BadDriverOption(f"battery: root must be a path, not {root!r}")
        self._name, self._root = name, Path(root)
        self._curve = curve_of(chemistry, curve)
        self._cells = whole_number("cells", cells, 1, 8)
        self._resistance_mohm = whole_number("resistance_mohm", resistance_mohm, 0, 5_000)
        self._capacity_mah = None if capacity_mah is None else whole_number("capacity_mah", capacity_mah, 50, 200_000)
        self._idle_ma = whole_number("idle_ma", idle_ma, 0, 1_000)
        self._sign = -1 if flag("invert_current", invert_current) else 1
        self._rested: deque[float] = deque(maxlen=SMOOTHED)
        """Voltages at rest of one cell, µV, newest last."""
        self._status: ChargeStatus = "unknown"

    def read(self) -> BatteryReading:
        """One reading. Raises `BatteryLost` if the chip is not there, or measures what no battery has."""
        try:
            pack_uv, current_ma = self._measure()
        except BatteryLost:
            self._rested.clear()
            raise
        status = self._flow(current_ma)
        if status != self._status:
            self._rested.clear()  # charger plugged or pulled: what was averaged before does not count
            self._status = status
        self._rested.append((pack_uv - current_ma * self._resistance_mohm) / self._cells)
        percent = percent_at(self._curve, sum(self._rested) / len(self._rested))
        if status == "not_charging" and percent >= FULL_PERCENT:
            status = "full"
        design_uah = None if self._capacity_mah is None else self._capacity_mah * 1000
        return BatteryReading(
            status=status,
            percent=percent,
            voltage_uv=pack_uv,
            current_ua=current_ma * 1000,
            charge_now_uah=None if design_uah is None else design_uah * percent // 100,
            charge_full_design_uah=design_uah,
        )

    def _flow(self, current_ma: int) -> ChargeStatus:
        if abs(current_ma) <= self._idle_ma:
            return "not_charging"
        return "charging" if current_ma > 0 else "discharging"

    def _measure(self) -> tuple[int, int]:
        chip = self._find()
        pack_uv = _number(chip / "in1_input", 0, 60_000) * 1000
        current_ma = self._sign * _number(chip / "curr1_input", -MOST_MA, MOST_MA)
        if not LOWEST_CELL_UV <= pack_uv / self._cells <= HIGHEST_CELL_UV:
            raise BatteryLost(
                f"{self._name} measures {pack_uv / 1e6:.2f} V, which is no battery of {self._cells} cell(s): "
                "check that the battery is plugged in, and the setting `cells`"
            )
        return pack_uv, current_ma

    def _find(self) -> Path:
        """The chip's directory, looked for each time: its number changes when it comes back."""
        try:
            for one in sorted(self._root.iterdir()):
                if text_of(one / "name", _MOST_BYTES) == self._name:
                    return one
        except OSError as error:
            raise BatteryLost(f"{self._root} cannot be listed ({error.strerror}): check the kernel") from error
        raise BatteryLost(
            f"no chip {self._name} under {self._root}: load its driver (device tree overlay) or check its wiring"
        )


def _number(path: Path, low: int, high: int) -> int:
    try:
        text = read_text(path, _MOST_BYTES)
    except OSError as error:
        raise BatteryLost(
            f"{path} cannot be read ({error.strerror}): the gauge is gone; check its wiring or the bus"
        ) from error
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise BatteryLost(f"{path} says {text[:20]!r}, which nothing measures: check the gauge's wiring")
    return int(text)

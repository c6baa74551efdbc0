"""The fuel gauge as Linux shows it: ``/sys/class/power_supply/NAME/uevent``.

Units and signs are those of Documentation/ABI/testing/sysfs-class-power: µV, µA, µAh, µWh, µW, tenths of a degree
Celsius, seconds; a negative current discharges. Any key may be absent. A gauge that has vanished is a fault, not an
empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hal.battery import BatteryReading, ChargeStatus
from hal.errors import BadDriverOption, BatteryLost

MAX_UEVENT_BYTES = 16 * 1024
"""The kernel itself never gives more than a page."""
MAX_VOLTAGE_UV = 100_000_000
MAX_CURRENT_UA = 100_000_000
MAX_CHARGE_UAH = 1_000_000_000
MAX_ENERGY_UWH = 10_000_000_000
MAX_POWER_UW = 10_000_000_000
MAX_TIME_S = 7 * 24 * 3600
"""Gauges say 45 days when they do not know."""
MAX_CYCLES = 100_000

_PREFIX = "POWER_SUPPLY_"
_INTEGER = re.compile(r"-?[0-9]{1,12}")
_STATUS: dict[str, ChargeStatus] = {
    "Charging": "charging",
    "Discharging": "discharging",
    "Not charging": "not_charging",
    "Full": "full",
}


def parse_uevent(data: bytes) -> dict[str, str]:
    """``POWER_SUPPLY_KEY=value`` lines as a mapping without the prefix; other lines are ignored. Never raises."""
    found: dict[str, str] = {}
    for line in data[:MAX_UEVENT_BYTES].decode("ascii", errors="replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals and key.startswith(_PREFIX):
            found.setdefault(key.removeprefix(_PREFIX), value.strip())
    return found


def _integer(keys: Mapping[str, str], key: str, low: int, high: int) -> int | None:
    text = keys.get(key, "")
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if low <= value <= high else None


def _charge(keys: Mapping[str, str], what: str) -> int | None:
    """CHARGE_x in µAh, or ENERGY_x in µWh through the design voltage."""
    charge = _integer(keys, f"CHARGE_{what}", 0, MAX_CHARGE_UAH)
    energy = _integer(keys, f"ENERGY_{what}", 0, MAX_ENERGY_UWH)
    design_uv = _integer(keys, "VOLTAGE_MIN_DESIGN", 1, MAX_VOLTAGE_UV)
    if charge is not None or energy is None or design_uv is None:
        return charge
    computed = energy * 1_000_000 // design_uv
    return computed if computed <= MAX_CHARGE_UAH else None


def _percent(keys: Mapping[str, str]) -> int | None:
    """CAPACITY; only a gauge that has none is computed, rounded down. A gauge may say a little over full: 100."""
    if "CAPACITY" in keys:
        return _integer(keys, "CAPACITY", 0, 100)
    for unit, limit in (("CHARGE", MAX_CHARGE_UAH), ("ENERGY", MAX_ENERGY_UWH)):
        now = _integer(keys, f"{unit}_NOW", 0, limit)
        full = _integer(keys, f"{unit}_FULL", 1, limit)
        if now is not None and full is not None:
            return min(100, now * 100 // full) if now <= 2 * full else None
    return None


def _current(keys: Mapping[str, str], status: ChargeStatus) -> int | None:
    """CURRENT_NOW, or POWER_NOW through the voltage. Drivers that report no sign get it from the status."""
    current = _integer(keys, "CURRENT_NOW", -MAX_CURRENT_UA, MAX_CURRENT_UA)
    power = _integer(keys, "POWER_NOW", -MAX_POWER_UW, MAX_POWER_UW)
    voltage = _integer(keys, "VOLTAGE_NOW", 1, MAX_VOLTAGE_UV)
    if current is None and power is not None and voltage is not None:
        current = power * 1_000_000 // voltage
    if current is None or abs(current) > MAX_CURRENT_UA:
        return None
    return -abs(current) if status == "discharging" else current


def reading_of(keys: Mapping[str, str]) -> BatteryReading:
    """One reading out of the keys of `parse_uevent`. What is absent, garbled or out of range is None. Never raises."""
    status = _STATUS.get(keys.get("STATUS", ""), "unknown")
    time_to_empty_s = _integer(keys, "TIME_TO_EMPTY_NOW", 0, MAX_TIME_S)
    if time_to_empty_s is None:
        time_to_empty_s = _integer(keys, "TIME_TO_EMPTY_AVG", 0, MAX_TIME_S)
    return BatteryReading(
        status=status,
        percent=_percent(keys),
        voltage_uv=_integer(keys, "VOLTAGE_NOW", 0, MAX_VOLTAGE_UV),
        current_ua=_current(keys, status),
        charge_now_uah=_charge(keys, "NOW"),
        charge_full_uah=_charge(keys, "FULL"),
        charge_full_design_uah=_charge(keys, "FULL_DESIGN"),
        cycles=_integer(keys, "CYCLE_COUNT", 0, MAX_CYCLES),
        temperature_dc=_integer(keys, "TEMP", -500, 1500),
        time_to_empty_s=time_to_empty_s,
    )


class PowerSupplyBattery:
    """The `hal.battery.Battery` under `root`, normally ``/sys/class/power_supply``.

    `name` picks one supply, e.g. ``max17048_battery``; without it the first (by name) of TYPE=Battery that is not the
    battery of a peripheral (SCOPE=Device) is read. Nothing is opened before `read`.
    Raises `BadDriverOption` if `name` is a path.
    """

    def __init__(self, root: str = "/sys/class/power_supply", name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", name)):
            raise BadDriverOption(f"battery: name must be a directory name under {root}, not {name!r}")
        self._root = Path(root)
        self._name = name

    def read(self) -> BatteryReading:
        """One reading. Raises `BatteryLost` if no gauge is there, it cannot be read, or it sees no battery."""
        supply, keys = self._find()
        if keys.get("PRESENT") == "0":
            raise BatteryLost(f"{supply} sees no battery: insert the battery or check its connector")
        return reading_of(keys)

    def _find(self) -> tuple[Path, dict[str, str]]:
        if self._name is not None:
            supply = self._root / self._name
            keys = self._keys(supply)
            if keys["TYPE"] != "Battery":
                raise BatteryLost(f"{supply} is no battery but {keys['TYPE']!r}: check the setting `name`")
            return supply, keys
        try:
            supplies = sorted(self._root.iterdir())
        except OSError as error:
            raise BatteryLost(
                f"{self._root} cannot be listed ({error.strerror}): check the gauge's driver and wiring"
            ) from error
        unreadable: BatteryLost | None = None
        for supply in supplies:
            try:
                keys = self._keys(supply)
            except BatteryLost as error:
                unreadable = error
                continue
            if keys["TYPE"] == "Battery" and keys.get("SCOPE") != "Device":
                return supply, keys
        if unreadable is not None:
            raise unreadable
        raise BatteryLost(
            f"no battery under {self._root}: load the fuel gauge's driver (device tree overlay) or check its wiring"
        )

    def _keys(self, supply: Path) -> dict[str, str]:
        try:
            with (supply / "uevent").open("rb") as file:
                data = file.read(MAX_UEVENT_BYTES + 1)
            if len(data) > MAX_UEVENT_BYTES:
                raise BatteryLost(f"{supply / 'uevent'} is over 16 KiB, no gauge writes that: check the setting `root`")
            keys = parse_uevent(data)
            if "TYPE" not in keys:  # kernels before 5.8 keep it in a file of its own
                with (supply / "type").open("rb") as file:
                    keys["TYPE"] = file.read(64).decode("ascii", errors="replace").strip()
        except BatteryLost:
            raise
        except OSError as error:
            raise BatteryLost(
                f"{supply} cannot be read ({error.strerror}): the fuel gauge is gone; check its wiring or the bus"
            ) from error
        return keys

"""The real-time clock that keeps the time while the board is off, and its cell, by the kernel's words under /sys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hal.sysfs import text_of

_MOST_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Rtc:
    """One real-time clock."""

    name: str
    battery_uv: int | None = None
    """Voltage of its cell in microvolts, where the board can measure it (Raspberry Pi 5)."""


def find_rtc(root: Path = Path("/sys")) -> Rtc | None:
    """The board's first real-time clock; None without one. `root` is where sysfs is."""
    found = root / "class/rtc/rtc0"
    name = text_of(found / "name", _MOST_BYTES)
    if not name:
        return None
    voltage = text_of(found / "battery_voltage", _MOST_BYTES) or ""
    return Rtc(name.split()[0][:64], int(voltage) if voltage.isascii() and voltage.isdigit() else None)

"""The real-time clock that keeps the time while the board is off, and its cell, by the kernel's words under /sys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    name = _read(found / "name")
    if not name:
        return None
    voltage = _read(found / "battery_voltage") or ""
    return Rtc(name.split()[0][:64], int(voltage) if voltage.isascii() and voltage.isdigit() else None)


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return None

"""The board's temperature as the kernel shows it: the files of ``/sys/class/thermal``, written by the simulator.

The camera's real driver reads them. ``get_throttled`` stands for the Raspberry Pi firmware's mask; a real board slows
itself down from 80 °C on, and so does this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

THROTTLED_FROM_C = 80.0
_THROTTLED, _WAS_THROTTLED = 1 << 2, 1 << 18


@dataclass(slots=True)
class ThermalFeed:
    """One zone under ``root``; `set` writes, `remove` takes the sensor away."""

    root: Path
    """The directory that stands for /sys/class/thermal; created if it is missing."""
    celsius: float = 48.0
    _mask: int = 0

    def __post_init__(self) -> None:
        self._write()

    def set(self, *, celsius: float) -> None:
        """Change the temperature; also brings a removed sensor back. Raises ValueError for what no board survives."""
        if not -40 <= celsius <= 150:
            raise ValueError(f"{celsius} °C is no temperature of a board")
        self.celsius = celsius
        self._write()

    def remove(self) -> None:
        """The sensor does not answer any more."""
        (self.root / "thermal_zone0" / "temp").unlink(missing_ok=True)

    def _write(self) -> None:
        zone = self.root / "thermal_zone0"
        zone.mkdir(parents=True, exist_ok=True)
        self._mask = self._mask & _WAS_THROTTLED
        if self.celsius >= THROTTLED_FROM_C:
            self._mask = _THROTTLED | _WAS_THROTTLED
        _put(zone / "type", "cpu-thermal\n")
        _put(zone / "temp", f"{round(self.celsius * 1000)}\n")
        _put(self.root / "get_throttled", f"{self._mask:x}\n")


def _put(path: Path, text: str) -> None:
    """Replace one file at once: a reader sees the old or the new one. Not durable, and need not be."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="ascii")
    new.rename(path)

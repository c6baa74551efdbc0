"""The board's temperature as the kernel shows it: the files of ``/sys/class/thermal``, written by the simulator.

The camera's real driver reads them. ``get_throttled`` stands for the Raspberry Pi firmware's mask; a real board slows
itself down from 80 °C on, and so does this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from simulator.cell import Load
from simulator.heat import COLDEST_C, HOTTEST_C, THROTTLED_FROM_C, BoardHeat

_THROTTLED, _WAS_THROTTLED = 1 << 2, 1 << 18


@dataclass(slots=True)
class ThermalFeed:
    """One zone under ``root``; `set` holds a temperature, `weather` lets it follow load, air and sun (`tick`).

    `remove` takes the sensor away.
    """

    root: Path
    """The directory that stands for /sys/class/thermal; created if it is missing."""
    celsius: float = 48.0
    heat: BoardHeat | None = None
    """What the temperature follows; None: it stays as it was set."""
    gone: bool = field(default=False, init=False)
    _mask: int = 0

    def __post_init__(self) -> None:
        self._write()

    def set(self, *, celsius: float) -> None:
        """Hold a temperature; also brings a removed sensor back. Raises ValueError for what no board survives."""
        if not COLDEST_C <= celsius <= HOTTEST_C:
            raise ValueError(f"{celsius} °C is no temperature of a board")
        self.celsius, self.heat, self.gone = celsius, None, False
        self._write()

    def weather(self, ambient_c: float, sun: float = 0.0, *, in_car: bool = False) -> None:
        """From now on the temperature follows what the camera does, the air (Celsius) and the sun (0 to 1)."""
        self.heat = BoardHeat(self.celsius, ambient_c, sun, in_car, self.celsius >= THROTTLED_FROM_C)

    def tick(self, elapsed_s: float, load: Load) -> None:
        """Let `elapsed_s` pass while the camera does that."""
        if self.heat is not None:
            self.heat.step(elapsed_s, load)
            self.celsius = self.heat.celsius
            self._write()

    def remove(self) -> None:
        """The sensor does not answer any more, until `set` brings it back."""
        self.gone = True
        (self.root / "thermal_zone0" / "temp").unlink(missing_ok=True)

    def _write(self) -> None:
        if self.gone:
            return
        zone = self.root / "thermal_zone0"
        zone.mkdir(parents=True, exist_ok=True)
        self._mask = self._mask & _WAS_THROTTLED
        if self.celsius >= THROTTLED_FROM_C or (self.heat is not None and self.heat.throttled):
            self._mask = _THROTTLED | _WAS_THROTTLED
        _put(zone / "type", "cpu-thermal\n")
        _put(zone / "temp", f"{round(self.celsius * 1000)}\n")
        _put(self.root / "get_throttled", f"{self._mask:x}\n")


def _put(path: Path, text: str) -> None:
    """Replace one file at once: a reader sees the old or the new one. Not durable, and need not be."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="ascii")
    new.rename(path)

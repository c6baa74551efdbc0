"""A fuel gauge as the kernel shows it: the files of ``/sys/class/power_supply``, written by the simulator.

The camera's real battery driver reads them. Units are the kernel's: microvolt, microampere, microampere-hour, tenths of
a degree Celsius, seconds. What they say comes from `simulator.gauge`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from hal.battery import ChargeStatus
from simulator.cell import Cell, Load
from simulator.gauge import STATUS_WORDS, Gauge


class BatteryFeed:
    """One gauge under ``root/battery``; `set`, `works` and `tick` write, `remove` takes the gauge away.

    `root` is the directory that stands for /sys/class/power_supply; it is created if it is missing.
    """

    def __init__(
        self,
        root: Path,
        percent: float = 100.0,
        status: ChargeStatus = "discharging",
        *,
        temperature_c: float = 24.0,
        capacity_mah: int = 3000,
        design_mah: int = 3100,
        cycles: int = 41,
        load_ma: int = 260,
    ) -> None:
        cell = Cell(capacity_mah=capacity_mah, cycles=cycles, temperature_c=temperature_c)
        cell.fill(percent / 100)
        self.root = root
        self.gauge = Gauge(cell, status, design_mah, load_ma)
        self._written: dict[str, str] = {}
        self.write()

    @property
    def directory(self) -> Path:
        return self.root / "battery"

    @property
    def percent(self) -> float:
        """The true state of charge."""
        return self.gauge.percent

    @property
    def status(self) -> ChargeStatus:
        return self.gauge.status

    def set(
        self,
        *,
        percent: float | None = None,
        status: ChargeStatus | None = None,
        temperature_c: float | None = None,
        load_ma: int | None = None,
    ) -> None:
        """Change some values and write them; also brings a removed gauge back. Raises ValueError out of range."""
        if percent is not None and not 0 <= percent <= 100:
            raise ValueError(f"{percent} % is not a state of charge")
        if status is not None and status not in STATUS_WORDS:
            raise ValueError(f"status {status!r}: choose one of {', '.join(STATUS_WORDS)}")
        if temperature_c is not None:
            self.gauge.cell.temperature_c = temperature_c
        if percent is not None:
            self.gauge.cell.fill(percent / 100)
        if status is not None:
            self.gauge.status = status
        if load_ma is not None:
            self.gauge.load_ma = load_ma
        self.gauge.gone = False
        self.write()

    def works(self, load: Load) -> None:
        """The camera does that from now on; written at the next `tick`."""
        self.gauge.works(load)

    def tick(self, elapsed_s: float) -> None:
        """Let `elapsed_s` pass: the charge falls or rises."""
        self.gauge.step(elapsed_s)
        self.write()

    def remove(self) -> None:
        """The gauge vanishes, as with a broken contact, until `set` brings it back. May be called twice."""
        self.gauge.gone = True
        self._written.clear()
        if not self.directory.is_dir():
            return
        # uevent first: a reader finds the whole gauge, or none.
        (self.directory / "uevent").unlink(missing_ok=True)
        for file in self.directory.iterdir():
            file.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.directory.rmdir()

    def write(self) -> None:
        """Write what the gauge says now, where it has changed; nothing while it is gone."""
        if self.gauge.gone:
            return
        values = self.gauge.values()
        self.directory.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            self._put(key.lower(), f"{value}\n")
        lines = [f"POWER_SUPPLY_{key}={value}\n" for key, value in values.items()]
        self._put("uevent", "POWER_SUPPLY_NAME=battery\n" + "".join(lines))

    def _put(self, name: str, text: str) -> None:
        """Replace one file at once: a reader sees the old or the new one. Not durable, and need not be."""
        if self._written.get(name) == text:
            return
        new = self.directory / f".{name}.new"
        new.write_text(text, encoding="ascii")
        new.rename(self.directory / name)
        self._written[name] = text

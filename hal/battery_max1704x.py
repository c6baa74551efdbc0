"""The fuel gauges MAX17040, 43, 44, 48 and 49 at the I2C bus, without a kernel driver.

Registers of two bytes, most significant first (Maxim's data sheets 19-5210 and 19-6171): VCELL 02h, SOC 04h (1/256
percent), VERSION 08h, and from the MAX17048 on CRATE 16h (0.208 percent an hour, signed). Where the kernel has its
driver (``max17040``), `battery.power-supply` reads the same chip and is the better choice.
"""

from __future__ import annotations

import contextlib
import errno
from typing import Final

from smbus2 import SMBus

from hal.battery import BatteryReading, ChargeStatus
from hal.driver_options import whole_number
from hal.errors import BatteryLost

VCELL, SOC, VERSION, CRATE = 0x02, 0x04, 0x08, 0x16
LOWEST_CELL_UV: Final = 2_000_000
HIGHEST_CELL_UV: Final = 4_600_000
MOST_PERCENT: Final = 120
"""A gauge says a little over full; twice full is noise on the bus."""
LEAST_RATE: Final = 1.0
"""Percent an hour below which CRATE says nothing: it needs minutes to settle after a change."""
LONGEST_S: Final = 7 * 24 * 3600

_ADVICE: Final = {
    errno.ENOENT: "the bus is not there: enable it (dtparam=i2c_arm=on, module i2c-dev)",
    errno.EACCES: "permission denied: the recorder's user must be in the group i2c",
    errno.EBUSY: "a kernel driver has the chip: use the driver power-supply",
    errno.EREMOTEIO: "it does not answer: check its wiring and that the battery is plugged in",
    errno.ENXIO: "it does not answer: check its wiring and that the battery is plugged in",
    errno.ETIMEDOUT: "the bus hangs: check the wiring, then switch the camera off and on",
}


class Max1704xBattery:
    """The `hal.battery.Battery` at ``/dev/i2c-BUS``; `cells` is 2 for the MAX17041, 44 and 49.

    Nothing is opened before `read`. After an error the bus is opened anew. Raises `BadDriverOption`.
    """

    def __init__(self, bus: int = 1, address: int = 0x36, cells: int = 1) -> None:
        self._number = whole_number("bus", bus, 0, 255)
        self._address = whole_number("address", address, 0x03, 0x77)
        self._cells = whole_number("cells", cells, 1, 2)
        self._bus: SMBus | None = None

    def read(self) -> BatteryReading:
        """One reading. Raises `BatteryLost` if the chip does not answer, or says what no battery has."""
        try:
            if self._bus is None:
                self._bus = SMBus(self._number)
            version, cell, charge = self._word(VERSION), self._word(VCELL), self._word(SOC)
            rate = self._word(CRATE) if version & 0xFFF0 == 0x0010 else None
        except OSError as error:
            self._close()
            advice = _ADVICE.get(error.errno or 0, error.strerror or "it does not answer")
            raise BatteryLost(
                f"fuel gauge {self._address:#04x} on /dev/i2c-{self._number} cannot be read: {advice}"
            ) from error
        return self._reading(cell, charge, rate)

    def _reading(self, cell: int, charge: int, rate: int | None) -> BatteryReading:
        cell_uv = cell * 78_125 // 1000  # MAX1704x: 1.25 mV in the upper twelve bits, or 78.125 µV in all sixteen
        percent = charge / 256
        if not LOWEST_CELL_UV <= cell_uv <= HIGHEST_CELL_UV or percent > MOST_PERCENT:
            raise BatteryLost(
                f"fuel gauge {self._address:#04x} on /dev/i2c-{self._number} says {cell_uv / 1e6:.2f} V and "
                f"{percent:.0f} %, which no cell has: check its wiring and that the battery is plugged in"
            )
        shown = min(100, int(percent))
        per_hour = None if rate is None else (rate - 0x10000 if rate >= 0x8000 else rate) * 0.208
        left_s = None
        if per_hour is not None and per_hour <= -LEAST_RATE:
            left_s = min(LONGEST_S, int(percent / -per_hour * 3600))
        return BatteryReading(
            status=_status(shown, per_hour),
            percent=shown,
            voltage_uv=cell_uv * self._cells,
            time_to_empty_s=left_s,
        )

    def _word(self, register: int) -> int:
        assert self._bus is not None
        swapped = int(self._bus.read_word_data(self._address, register))  # SMBus sends the low byte first
        return (swapped & 0xFF) << 8 | swapped >> 8

    def _close(self) -> None:
        if self._bus is not None:
            with contextlib.suppress(OSError):
                self._bus.close()
            self._bus = None


def _status(percent: int, per_hour: float | None) -> ChargeStatus:
    """What the rate of change says. A small one says nothing, and unknown counts as living on the battery."""
    if per_hour is None or abs(per_hour) < LEAST_RATE:
        return "full" if percent >= 100 and per_hour is not None else "unknown"
    return "charging" if per_hour > 0 else "discharging"

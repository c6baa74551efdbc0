"""The I2C fuel gauge: real smbus2 down to its ioctl, where a chip of registers answers in the bus's place."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from hal.battery_max1704x import CRATE, SOC, VCELL, VERSION, Max1704xBattery
from hal.errors import BadDriverOption, BatteryLost

I2C_SLAVE, I2C_SMBUS = 0x0703, 0x0720


class Chip:
    """A MAX1704x at 0x36: big-endian registers, as a word read by SMBus sees them."""

    def __init__(self) -> None:
        self.words = {VERSION: 0x0012, VCELL: 0xBF00, SOC: 64 * 256 + 128, CRATE: 0x10000 - 48}
        self.error: int | None = None

    def ioctl(self, descriptor: int, request: int, argument: Any = 0) -> int:
        assert descriptor >= 0
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        if request == I2C_SLAVE:
            if argument != 0x36:
                raise OSError(errno.EREMOTEIO, "Remote I/O error")
        elif request == I2C_SMBUS:
            word = self.words[argument.command]
            argument.data.contents.word = (word & 0xFF) << 8 | word >> 8
        return 0


@pytest.fixture
def chip(tmp_path: Path, mocker: MockerFixture) -> Chip:
    """/dev/i2c-1 is a file here; what the kernel would do behind its ioctl, the chip does."""
    one = Chip()
    device = tmp_path / "i2c"
    device.touch()
    opened = os.open
    mocker.patch("smbus2.smbus2.os.open", lambda path, flags: opened(device, flags))
    mocker.patch("smbus2.smbus2.ioctl", one.ioctl)
    return one


@pytest.mark.usefixtures("chip")
def test_a_max17048_says_charge_voltage_and_how_long_it_lasts() -> None:
    reading = Max1704xBattery().read()
    assert (reading.percent, reading.status) == (64, "discharging")
    assert reading.voltage_uv == 3_820_000
    assert reading.time_to_empty_s is not None
    assert reading.time_to_empty_s // 60 == 387  # 64.5 percent at 9.984 percent an hour


def test_a_max17043_has_no_rate_and_counts_as_living_on_the_battery(chip: Chip) -> None:
    chip.words[VERSION] = 0x0003
    reading = Max1704xBattery().read()
    assert (reading.percent, reading.status, reading.time_to_empty_s) == (64, "unknown", None)


@pytest.mark.parametrize(
    ("rate", "percent", "status"), [(48, 50, "charging"), (0, 50, "unknown"), (0, 101, "full"), (-2, 99, "unknown")]
)
def test_the_rate_says_which_way_it_goes(chip: Chip, rate: int, percent: int, status: str) -> None:
    chip.words |= {CRATE: rate & 0xFFFF, SOC: percent * 256}
    reading = Max1704xBattery().read()
    assert reading.status == status
    assert reading.percent == min(100, percent)


@pytest.mark.usefixtures("chip")
def test_a_pack_of_two_cells_shows_its_whole_voltage() -> None:
    assert Max1704xBattery(cells=2).read().voltage_uv == 7_640_000


@pytest.mark.parametrize("words", [{VCELL: 0xFFFF, SOC: 0xFFFF}, {VCELL: 0, SOC: 0}, {SOC: 200 * 256}])
def test_what_no_cell_has_is_a_lost_gauge(chip: Chip, words: dict[int, int]) -> None:
    chip.words |= words
    with pytest.raises(BatteryLost, match="which no cell has: check its wiring"):
        Max1704xBattery().read()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EREMOTEIO, "it does not answer: check its wiring"),
        (errno.EBUSY, "use the driver power-supply"),
        (errno.ETIMEDOUT, "the bus hangs"),
    ],
)
def test_a_chip_that_is_lost_is_told_and_read_again_when_it_is_back(chip: Chip, number: int, sentence: str) -> None:
    battery = Max1704xBattery()
    assert battery.read().percent == 64
    chip.error = number
    with pytest.raises(BatteryLost, match=sentence):
        battery.read()
    chip.error = None
    assert battery.read().percent == 64


def test_a_bus_that_is_not_there_says_how_to_enable_it() -> None:
    with pytest.raises(BatteryLost, match="dtparam=i2c_arm=on"):
        Max1704xBattery(bus=254).read()


@pytest.mark.parametrize("options", [{"bus": -1}, {"bus": True}, {"address": 0x90}, {"cells": 3}])
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption):
        Max1704xBattery(**options)

"""Fuzz targets of `hal`: receivers, sensors and the kernel itself. Nothing that a wire says ends a driver."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
from pathlib import Path
from typing import Any, Final
from unittest import mock

import repaired
from target import Target, as_file, from_file, scratch

from hal import alsa_capture, memory, v4l2
from hal.battery_hwmon import HwmonBattery
from hal.battery_max1704x import Max1704xBattery
from hal.battery_power_supply import PowerSupplyBattery, parse_uevent, reading_of
from hal.chrony_samples import ChronySamples
from hal.errors import BatteryLost, DeviceLost
from hal.gps_serial import LineBuffer, LineListener
from hal.motion_iio import UPRIGHT, find_sensor, quicken
from hal.nmea import EpochAssembler
from hal.rtc import find_rtc
from hal.storage_health import health_of
from hal.thermal_linux import LinuxThermal
from hal.v4l2_stream import V4l2Stream
from hal.watchdog import find_watchdog


def read_nmea(data: bytes) -> None:
    assembler = EpochAssembler()
    epochs = [assembler.add(line, 10**8 * number) for number, line in enumerate(data.split(b"\n"))]
    for epoch in (*epochs, assembler.finish()):
        assert epoch is None or not epoch.fix or abs(epoch.latitude_nd or 0) <= 90 * 10**9


def read_receiver(data: bytes) -> None:
    """A receiver's bytes as they come off the wire, noise and long lines among them, on to chrony."""
    told: list[str] = []
    samples = ChronySamples(str(scratch() / "chrony.sock"), lambda: 0, lambda: 0, told.append)
    listener = LineListener("gps", 9600, 5 * 10**9, samples.feed, told.append)
    lines = LineBuffer()
    listener.begin(0)
    try:
        for place, at in enumerate(range(0, len(data), 50)):
            lines.feed(data[at : at + 50])
            listener.hear(data[at : at + 50], place * 10**8)
        listener.end()
    finally:
        samples.close()
    assert all("\n" not in one for one in told)


def read_hwmon(data: bytes) -> None:
    """Name, voltage and current of a gauge, a line each."""
    for name, text in zip(("name", "in1_input", "curr1_input"), data.split(b"\n", 2), strict=False):
        as_file(f"hwmon/hwmon0/{name}", text)
    HwmonBattery(root=str(scratch() / "hwmon")).read()


def read_power_supply(data: bytes) -> None:
    reading = reading_of(parse_uevent(data))
    assert reading.percent is None or 0 <= reading.percent <= 100
    as_file("power_supply/battery/uevent", data)
    PowerSupplyBattery(str(scratch() / "power_supply")).read()


_IIO: Final = (
    "in_accel_x_raw", "in_accel_y_raw", "in_accel_z_raw", "in_accel_scale", "in_accel_mount_matrix",
    "in_accel_sampling_frequency", "in_accel_sampling_frequency_available",
)  # fmt: skip


def read_iio(data: bytes) -> None:
    """An accelerometer's files, a line each."""
    for name, text in zip(_IIO, data.split(b"\n", len(_IIO) - 1), strict=False):
        as_file(f"iio/device0/{name}", text)
    sensor = find_sensor(scratch() / "iio", None, UPRIGHT)
    sample = sensor.read(1)
    assert all(math.isfinite(one) for one in (sample.x_mg, sample.y_mg, sample.z_mg))
    quicken(sensor.path, 25)


def read_thermal(data: bytes) -> None:
    for name, text in zip(("temp", "type", "throttled"), data.split(b"\n", 2), strict=False):
        as_file(f"thermal/thermal_zone0/{name}", text)
    thermal = LinuxThermal(str(scratch() / "thermal"), str(scratch() / "thermal" / "thermal_zone0" / "throttled"))
    thermal.throttled()
    thermal.read_mc()


_PARTS: Final = (
    "class/rtc/rtc0/name", "class/rtc/rtc0/battery_voltage", "class/watchdog/watchdog0/state",
    "class/watchdog/watchdog0/timeout", "class/watchdog/watchdog0/identity", "class/watchdog/watchdog0/bootstatus",
    "dev/block/9:1/device/type", "dev/block/9:1/device/name", "dev/block/9:1/device/date",
    "dev/block/9:1/device/life_time", "dev/block/9:1/device/pre_eol_info", "fs/ext4/9:1/errors_count",
)  # fmt: skip


def read_parts(data: bytes) -> None:
    """Clock, watchdog and card of a board as sysfs tells of them, a line each."""
    for name, text in zip(_PARTS, data.split(b"\n", len(_PARTS) - 1), strict=False):
        as_file(f"parts/{name}", text)
    root = scratch() / "parts"
    find_rtc(root)
    find_watchdog(root)
    health = health_of("9:1", root)
    assert health.life_used_percent is None or 10 <= health.life_used_percent <= 110


def read_memory(path: Path) -> None:
    found = memory.available_bytes(path)
    assert found is None or found >= 0


class _Answers:
    """A kernel that fills whatever structure it is asked for with the next bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self._asked = data, 0

    def __call__(self, _device: int, _request: int, about: Any, _change: bool = True) -> int:
        self._asked += 1
        if not self._data or self._asked > 200:
            raise OSError(errno.EINVAL, "no more")
        if isinstance(about, ctypes.Structure):
            size = ctypes.sizeof(about)
            piece, self._data = self._data[:size], self._data[size:]
            ctypes.memmove(ctypes.addressof(about), piece, len(piece))
        return 0


def read_v4l2(data: bytes) -> None:
    """Who a camera says it is, which pictures it offers, and what it agrees to."""
    with mock.patch("hal.v4l2.fcntl.ioctl", _Answers(data)):
        found = v4l2.identity(0, "/dev/video9")
        assert found is None or found.name.isprintable()
        assert len(v4l2.formats(0)) <= 64
        stream = V4l2Stream.__new__(V4l2Stream)
        stream._path, stream._device = "/dev/video9", 0
        agreed = stream._agree(("YUYV", "MJPG"), 1280, 720, 30)
        assert 16 <= agreed.width <= 8192
        assert agreed.frame_rate >= 0


class _Library:
    """libasound with answers out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._codes = iter(data)

    def _next(self, *_arguments: object) -> int:
        code = next(self._codes, 0)
        return code if code < 128 else 128 - code

    def snd_strerror(self, _number: int) -> bytes:
        return b"an error \xff"

    def __getattr__(self, name: str) -> Any:
        return self._next


def read_alsa(data: bytes) -> None:
    """What the sound library answers while a microphone is opened and read."""
    with mock.patch("hal.alsa_capture._library", return_value=_Library(data)):
        capture = alsa_capture.AlsaCapture("hw:1", 48_000, 1, 200, 4)
        for _ in range(20):
            with contextlib.suppress(alsa_capture.Overrun):
                block = capture.read()
                assert block is None or len(block) == 800
            assert capture.waiting() >= 0
        capture.close()


class _Bus:
    """An I2C bus whose chip answers the next words."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_word_data(self, _address: int, register: int) -> int:
        if register >= len(self._data):
            raise OSError(errno.EREMOTEIO, "no answer")
        return int.from_bytes(self._data[register : register + 2], "little")

    def close(self) -> None:
        pass


def read_gauge(data: bytes) -> None:
    with mock.patch("hal.battery_max1704x.SMBus", return_value=_Bus(data)):
        reading = Max1704xBattery().read()
    assert reading.percent is not None
    assert 0 <= reading.percent <= 100


_NMEA: Final = (repaired.nmea_checksums,)
TARGETS: Final = (
    Target("nmea", read_nmea, (), mends=_NMEA),
    Target("gps-line", read_receiver, (), mends=_NMEA),
    Target("hwmon", read_hwmon, (BatteryLost,)),
    Target("fuel-gauge", read_gauge, (BatteryLost,)),
    Target("power-supply", read_power_supply, (BatteryLost,)),
    Target("iio", read_iio, (DeviceLost,)),
    Target("thermal", read_thermal, (DeviceLost,)),
    Target("board-parts", read_parts, ()),
    Target("meminfo", from_file("meminfo", read_memory), ()),
    Target("v4l2-answers", read_v4l2, (OSError,)),
    Target("alsa-answers", read_alsa, (alsa_capture.CaptureLost,)),
)

"""An accelerometer of the kernel's Industrial I/O, by ``/sys/bus/iio/devices/iio:deviceN`` (R12, R18).

Documentation/ABI/testing/sysfs-bus-iio: ``(in_accel_x_raw + in_accel_offset) * in_accel_scale`` is m/s². One thread
reads. A sensor that is missing, gone or garbled is one sentence to `on_fault`, and then looked for again.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hal.clock import boottime_ns
from hal.driver_options import whole_number
from hal.errors import BadDriverOption, DeviceLost
from hal.motion import Acceleration
from hal.sysfs import read_text, text_of

STANDARD_GRAVITY: Final = 9.80665
AXES: Final = ("x", "y", "z")
MOST_MG: Final = 400_000
"""No accelerometer of a camera measures more."""
FIRST_RETRY_S: Final = 0.25
RETRY_MAX_S: Final = 5.0
STEADY: Final = 20
"""Samples after which a fault is over, and is told again if it comes back."""
_MOST_BYTES: Final = 256
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")
_AXIS = re.compile(r"(-?)([xyz])")
_jitter = random.SystemRandom()

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]


def axes_of(option: object) -> Matrix:
    """``"-y,x,z"``: the camera's x is the sensor's y turned around, and so on. Raises `BadDriverOption`."""
    parts = option.replace(" ", "").split(",") if isinstance(option, str) else []
    found = [_AXIS.fullmatch(part) for part in parts]
    if len(found) != 3 or not all(found) or {one[2] for one in found if one} != set(AXES):
        raise BadDriverOption(f"motion: axes must name x, y and z once each, e.g. '-y,x,z', not {option!r}")
    first, second, third = [_row(one[2], -1.0 if one[1] else 1.0) for one in found if one]
    return first, second, third


def _row(axis: str, value: float) -> Row:
    return (value if axis == "x" else 0.0, value if axis == "y" else 0.0, value if axis == "z" else 0.0)


UPRIGHT: Final = axes_of("x,y,z")


def mount_matrix(text: str) -> Matrix | None:
    """``"1, 0, 0; 0, 1, 0; 0, 0, 1"`` as the kernel writes it out of the device tree; None if it is none."""
    rows = []
    for line in text.split(";"):
        numbers = [part.strip() for part in line.split(",")]
        if len(numbers) != 3 or not all(_DECIMAL.fullmatch(one) for one in numbers):
            return None
        rows.append((float(numbers[0]), float(numbers[1]), float(numbers[2])))
    return (rows[0], rows[1], rows[2]) if len(rows) == 3 else None


def _turned(matrix: Matrix, vector: Row) -> Row:
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return x, y, z


@dataclass(frozen=True, slots=True)
class Sensor:
    """One accelerometer as it was found."""

    path: Path
    scale_mg: Row
    offset: Row
    mounted: Matrix
    axes: Matrix

    def read(self, at_ns: int) -> Acceleration:
        """One sample. Raises `DeviceLost`."""
        raw = [_number(self.path / f"in_accel_{axis}_raw") for axis in AXES]
        x, y, z = ((one + off) * by for one, off, by in zip(raw, self.offset, self.scale_mg, strict=True))
        x, y, z = _turned(self.axes, _turned(self.mounted, (x, y, z)))
        if max(abs(x), abs(y), abs(z)) > MOST_MG:
            raise DeviceLost(f"accelerometer {self.path} says more than anything measures: check its wiring")
        return Acceleration(round(x), round(y), round(z), at_ns)


def find_sensor(root: Path, name: str | None, axes: Matrix) -> Sensor:
    """The first accelerometer under `root`, or the one called `name`. Raises `DeviceLost`."""
    try:
        devices = sorted(root.iterdir())
    except OSError as error:
        raise DeviceLost(f"{root} cannot be listed ({error.strerror}): load the accelerometer's driver") from error
    for path in devices:
        if (path / "in_accel_x_raw").exists() and name in (None, text_of(path / "name", _MOST_BYTES)):
            return Sensor(
                path,
                _each(path, "scale", 1000 / STANDARD_GRAVITY, None),
                _each(path, "offset", 1.0, 0.0),
                _mounted(path),
                axes,
            )
    called = "no accelerometer" if name is None else f"no accelerometer {name!r}"
    raise DeviceLost(f"{called} under {root}: load its driver (device tree overlay i2c-sensor) or check its wiring")


def _each(path: Path, what: str, by: float, default: float | None) -> Row:
    """A value of each axis; drivers give one for all (``in_accel_scale``), or one for each."""
    x, y, z = (_shared(path, axis, what, default) * by for axis in AXES)
    return x, y, z


def _shared(path: Path, axis: str, what: str, default: float | None) -> float:
    own, common = path / f"in_accel_{axis}_{what}", path / f"in_accel_{what}"
    if own.exists():
        return _number(own)
    return default if default is not None and not common.exists() else _number(common)


def _mounted(path: Path) -> Matrix:
    for one in ("in_accel_mount_matrix", "in_mount_matrix", "mount_matrix"):
        if text := text_of(path / one, _MOST_BYTES):
            matrix = mount_matrix(text)
            if matrix is None:
                raise DeviceLost(f"{path / one} says {text[:40]!r}, which is no matrix: check the device tree")
            return matrix
    return UPRIGHT


def quicken(path: Path, rate: int) -> None:
    """Have the sensor sample at least `rate` times a second, if it lets itself be told; some start with once."""
    for one in ("in_accel_sampling_frequency", "sampling_frequency"):
        file = path / one
        with contextlib.suppress(OSError, DeviceLost):
            if file.exists() and _number(file) < rate:
                offered = (text_of(path / f"{one}_available", _MOST_BYTES) or "").split()
                enough = [word for word in offered if _DECIMAL.fullmatch(word) and float(word) >= rate]
                file.write_text(min(enough, key=float, default=str(rate)))


class IioMotion:
    """A `hal.motion.Motion` under `root`; `name` picks one of several (``mpu6050``), `rate` is 10 to 50 a second.

    `axes` says how the sensor is mounted if the device tree does not: the camera's x (right), y (up) and z (to the
    viewer) in the sensor's axes. Raises `BadDriverOption`; a sensor that is not there yet is no error.
    """

    def __init__(
        self,
        name: str | None = None,
        rate: int = 25,
        axes: str = "x,y,z",
        root: str = "/sys/bus/iio/devices",
        *,
        clock: Callable[[], int] = boottime_ns,
    ) -> None:
        if name is not None and not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name)):
            raise BadDriverOption(f"motion: name must be what stands in iio:deviceN/name, e.g. mpu6050, not {name!r}")
        if not isinstance(root, str) or not root:
            raise BadDriverOption(f"motion: root must be a path, not {root!r}")
        self._root, self._name, self._axes = Path(root), name, axes_of(axes)
        self._rate, self._clock = whole_number("rate", rate, 10, 50), clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_sample: Callable[[Acceleration], None], on_fault: Callable[[str], None]) -> None:
        """Begin to read; both callbacks run on the driver's thread and must neither block nor raise."""
        if self._thread is not None:
            raise RuntimeError("the accelerometer is already started")
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stop, on_sample, on_fault), name="motion-iio", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop within a second. May be called twice, also from a callback."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _run(
        self, stop: threading.Event, on_sample: Callable[[Acceleration], None], on_fault: Callable[[str], None]
    ) -> None:
        pause_s, said, steady = FIRST_RETRY_S, set[str](), 0
        while not stop.is_set():
            try:
                sensor = find_sensor(self._root, self._name, self._axes)
                quicken(sensor.path, self._rate)
                while not stop.wait(1 / self._rate):
                    on_sample(sensor.read(self._clock()))
                    steady += 1
                    if steady == STEADY:
                        said.clear()
                        pause_s = FIRST_RETRY_S
            except OSError as error:  # DeviceLost is one
                steady = 0
                if str(error) not in said:
                    said.add(str(error))
                    on_fault(str(error))
                stop.wait(pause_s * _jitter.uniform(0.8, 1.2))
                pause_s = min(2 * pause_s, RETRY_MAX_S)


def _number(path: Path) -> float:
    try:
        text = read_text(path, _MOST_BYTES)
    except OSError as error:
        raise DeviceLost(
            f"{path} cannot be read ({error.strerror}): the accelerometer is gone; check its wiring or the bus"
        ) from error
    if not _DECIMAL.fullmatch(text):
        raise DeviceLost(f"{path} says {text[:20]!r}, which is no number: check the accelerometer's driver")
    return float(text)

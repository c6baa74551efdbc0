"""The accelerometer on trees of files as the kernel's Industrial I/O makes them, and loses them midway."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hal.errors import BadDriverOption
from hal.motion import Acceleration
from hal.motion_iio import STEADY, IioMotion, axes_of, mount_matrix

WAIT_S = 120.0
G = 16384
"""One g of a MPU-6050 at ±2 g."""


class Board:
    """A MPU-6050 as the kernel's driver shows it, and what the driver under test made of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sensor = root / "iio:device0"
        self.samples: queue.Queue[Acceleration] = queue.Queue()
        self.faults: queue.Queue[str] = queue.Queue()
        self.plug()

    def plug(self) -> None:
        made = self.root / "made"
        made.mkdir(parents=True)
        (made / "name").write_text("mpu6050\n")
        (made / "in_accel_scale").write_text("0.000598550\n")
        (made / "sampling_frequency").write_text("50\n")
        for axis, value in (("x", 0), ("y", G), ("z", 0)):
            (made / f"in_accel_{axis}_raw").write_text(f"{value}\n")
        made.rename(self.sensor)

    def unplug(self) -> None:
        shutil.rmtree(self.sensor)

    def write(self, name: str, text: str) -> None:
        (self.sensor / name).write_text(text)

    def sample(self) -> Acceleration:
        return self.samples.get(timeout=WAIT_S)

    def fault(self) -> str:
        return self.faults.get(timeout=WAIT_S)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "devices")


@pytest.fixture
def move(board: Board) -> Iterator[Callable[..., IioMotion]]:
    started: list[IioMotion] = []

    def start(**options: Any) -> IioMotion:
        motion = IioMotion(**{"root": str(board.root), "rate": 50} | options)
        started.append(motion)
        motion.start(board.samples.put, board.faults.put)
        return motion

    yield start
    for motion in started:
        motion.stop()


def axes(sample: Acceleration) -> tuple[int, int, int]:
    return sample.x_mg, sample.y_mg, sample.z_mg


def test_at_rest_it_feels_one_g_downwards_and_each_sample_is_later(board: Board, move: Callable[..., Any]) -> None:
    move()
    first, second = board.sample(), board.sample()
    assert axes(first) == axes(second) == (0, 1000, 0)
    assert first.at_ns < second.at_ns
    assert board.faults.empty()


@pytest.mark.requirement("R12")
def test_a_sensor_mounted_otherwise_is_turned_by_option_and_by_device_tree(
    board: Board, move: Callable[..., Any]
) -> None:
    board.write("in_accel_x_raw", f"{G // 2}")
    move(axes="-y,x,z")
    assert axes(board.sample()) == (-1000, 500, 0)
    board.write("in_mount_matrix", "0, 0, 1; 1, 0, 0; 0, 1, 0")
    other = IioMotion(root=str(board.root))
    heard: queue.Queue[Acceleration] = queue.Queue()
    other.start(heard.put, board.faults.put)
    assert axes(heard.get(timeout=WAIT_S)) == (0, 500, 1000)
    other.stop()


def test_each_axis_may_have_a_scale_and_an_offset_of_its_own(board: Board, move: Callable[..., Any]) -> None:
    (board.sensor / "in_accel_scale").unlink()
    for axis, scale in (("x", "0.00980665"), ("y", "0.0196133"), ("z", "0.00980665")):
        board.write(f"in_accel_{axis}_scale", scale)
        board.write(f"in_accel_{axis}_raw", "100")
    board.write("in_accel_offset", "-10")
    move()
    assert axes(board.sample()) == (90, 180, 90)


@pytest.mark.requirement("R18")
def test_a_sensor_that_loses_its_files_is_one_fault_and_is_found_again(board: Board, move: Callable[..., Any]) -> None:
    move()
    for _ in range(STEADY):
        board.sample()
    board.unplug()
    assert "accelerometer" in board.fault()
    while not board.samples.empty():
        board.samples.get()
    board.plug()
    assert axes(board.sample()) == (0, 1000, 0)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("in_accel_z_raw", "many", "says 'many', which is no number"),
        ("in_accel_z_raw", "", "says '', which is no number"),
        ("in_accel_x_raw", "999999999", "says more than anything measures"),
        ("in_accel_scale", "nan", "says 'nan', which is no number"),
        ("mount_matrix", "1,0;0,1", "is no matrix"),
    ],
)
def test_garbage_is_a_fault_and_no_movement(
    board: Board, move: Callable[..., Any], name: str, text: str, sentence: str
) -> None:
    board.write(name, text)
    move()
    assert sentence in board.fault()
    assert board.samples.empty()


def test_a_sensor_that_comes_later_is_used(board: Board, move: Callable[..., Any]) -> None:
    board.unplug()
    move(name="mpu6050")
    assert "no accelerometer 'mpu6050'" in board.fault()
    board.plug()
    assert axes(board.sample()) == (0, 1000, 0)


def test_a_slow_sensor_is_told_to_sample_often_enough(board: Board, move: Callable[..., Any]) -> None:
    board.write("sampling_frequency", "1\n")
    board.write("sampling_frequency_available", "1 10 25 50 100\n")
    move(rate=20)
    board.sample()
    assert (board.sensor / "sampling_frequency").read_text() == "25"


def test_it_can_be_stopped_and_started_again(board: Board, move: Callable[..., Any]) -> None:
    motion = move()
    board.sample()
    motion.stop()
    motion.stop()
    motion.start(board.samples.put, board.faults.put)
    assert board.sample()


@pytest.mark.parametrize("text", ["x,y", "x,y,y", "x,y,w", "", "x,y,z,z", 3])
def test_axes_that_are_no_axes_are_refused(text: Any) -> None:
    with pytest.raises(BadDriverOption, match="axes must name x, y and z once each"):
        axes_of(text)


@pytest.mark.parametrize("text", ["", "1,0,0", "1,0,0;0,1,0", "1,0,0;0,1,0;0,0,x", "1,0,0;0,1,0;0,0,1;0,0,0"])
def test_a_matrix_that_is_none_is_none(text: str) -> None:
    assert mount_matrix(text) is None


@pytest.mark.parametrize("options", [{"rate": 5}, {"rate": 51}, {"name": "../x"}, {"root": ""}])
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption):
        IioMotion(**options)

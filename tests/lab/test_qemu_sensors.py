"""(b) The sensors' drivers on a real kernel's sound card, bus, cell and watchdog: read, lost, and read again."""

from __future__ import annotations

import json
import lzma
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_modules import LabKernel
from lab_root import installed_root
from machine import CONSOLE, Boot, Disk, Machine
from plain_root import ext4_of
from virtual_board import board_disk, board_units

from fleet.image.board import load
from fleet.image.root import Wishes, debian

BUS = ("i2c-dev", "i2c-stub")
pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


def _module(kernel: LabKernel, name: str) -> bytes:
    """A driver that Debian builds and no other part of the lab needs, out of the image's own Debian."""
    board = load("lab-vm")
    root = debian(Wishes("lab-vm", board, board.base_named("debian"), "0"))
    with tarfile.open(root.tar()) as tar:
        file = tar.extractfile(f"./usr/lib/modules/{kernel.version}/kernel/drivers/i2c/{name}.ko.xz")
        assert file is not None
        return lzma.decompress(file.read())


@pytest.fixture(scope="module")
def trial(
    whole_lab: None, kernel: LabKernel, initrd: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What `sensor_trial.py` told, in one boot for all tests."""
    directory = tmp_path_factory.mktemp("sensors")
    tree = directory / "tree"
    tree.mkdir()
    shutil.copy(Path(__file__).with_name("sensor_trial.py"), tree / "trial.py")
    for name in BUS:
        (tree / f"{name}.ko").write_bytes(_module(kernel, name))
    disks = [
        Disk(installed_root(), "root", forgets=True),
        board_disk(directory, kernel),
        Disk(ext4_of(tree, directory / "trial.ext4", label="trial", mib=16), "trial", forgets=True),
    ]
    boot = Boot(kernel.image, initrd, f"root=/dev/vda {CONSOLE}")
    with Machine(directory / "machine", boot, disks, units=board_units()) as machine:
        machine.ready()
        machine.until("systemctl is-active lab-board.service lab-tone.service", seconds=60)
        machine.run("mount -o ro /dev/disk/by-id/virtio-trial /mnt")
        yield json.loads(machine.run("python3 -B /mnt/trial.py 2>/run/trial.log || { cat /run/trial.log; false; }",
                                     seconds=180).splitlines()[-1])  # fmt: skip


@pytest.mark.requirement("R3")
def test_an_overrun_of_a_real_card_is_told_and_leaves_a_hole_of_its_length(trial: dict[str, Any]) -> None:
    assert "was overrun" in trial["sound"]["overrun"]
    assert trial["sound"]["hole_ms"] > 1_000
    assert trial["sound"]["rising"]


@pytest.mark.requirement("R3")
def test_a_sound_card_that_goes_away_is_told_and_heard_again(trial: dict[str, Any]) -> None:
    assert "microphone 'plughw:CARD=Loopback,DEV=1'" in trial["sound"]["unplugged"]
    assert trial["sound"]["stopped"], "and the driver ends when it is told to"


def test_the_gauge_on_a_real_bus_is_read_lost_and_read_again(trial: dict[str, Any]) -> None:
    gauge = trial["gauge"]
    assert (gauge["percent"], gauge["status"], gauge["voltage_uv"]) == (64, "discharging", 3_820_000)
    assert "which no cell has" in gauge["garbled"]
    assert "cannot be read" in gauge["unplugged"]
    assert gauge["back"] == 64


def test_the_kernels_test_cell_and_watchdog_are_read(trial: dict[str, Any]) -> None:
    assert trial["cell"] == {"percent": 50, "status": "discharging", "time_to_empty_s": 3600}
    assert trial["watchdog"] == "Software Watchdog"

"""What an image takes from the board's own file in the package: config.txt and udev rules."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from fleet.image.debian_root import CannotBuild
from fleet.image.wired import BOARDS, RULES, wired, write_rules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root in which our package is installed."""
    shutil.copytree(str(resources.files("device") / "boards"), tmp_path / BOARDS)
    return tmp_path


def test_a_part_that_no_overlay_names_gets_a_rule(root: Path) -> None:
    write_rules(root, "dashcam-cm4")
    comment, rule = (root / RULES).read_text().splitlines()
    assert comment == "# Parts of a dashcam-cm4 (device/boards/dashcam-cm4.toml)."
    assert rule == 'SUBSYSTEM=="i2c", KERNEL=="i2c-1", ACTION=="add", ATTR{new_device}="ina219 0x42"'


@pytest.mark.parametrize("board", ["bodycam-zero2w", "lab-vm", "no-such-board"])
def test_a_board_without_such_parts_gets_no_file(board: str, root: Path) -> None:
    write_rules(root, board)
    assert not (root / RULES).exists()


@pytest.mark.parametrize("board", ["bodycam-zero2w", "dashcam-cm4", "dashcam-pi5"])
def test_each_board_for_duty_brings_the_overlays_of_its_parts(board: str, root: Path) -> None:
    lines = wired(root, board, "config_txt")
    assert "dtparam=i2c_arm=on" in lines
    assert "dtoverlay=pps-gpio,gpiopin=4" in lines
    assert all(line.startswith(("dt", "camera_auto_detect=", "enable_uart=")) for line in lines)


def test_a_file_that_is_no_toml_is_said(root: Path) -> None:
    (root / BOARDS / "lab-vm.toml").write_text("[board")
    with pytest.raises(CannotBuild, match=r"lab-vm\.toml of the package is not valid TOML"):
        wired(root, "lab-vm", "udev")

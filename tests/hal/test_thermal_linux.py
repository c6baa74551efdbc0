"""The board's temperatures out of a tree like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hal.errors import BadDriverOption, DeviceLost
from hal.thermal_linux import LinuxThermal
from simulator.thermal_feed import ThermalFeed


def zone(root: Path, number: int, kind: str | None, temp: str | None) -> None:
    directory = root / f"thermal_zone{number}"
    directory.mkdir(parents=True)
    if kind is not None:
        (directory / "type").write_text(kind + "\n")
    if temp is not None:
        (directory / "temp").write_text(temp + "\n")


def driver(root: Path) -> LinuxThermal:
    return LinuxThermal(root=str(root), throttled_file=str(root / "get_throttled"))


def test_all_zones_are_read_by_their_types(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", "54321")
    zone(tmp_path, 10, "cpu-thermal", "60000")
    zone(tmp_path, 2, None, "-5000")
    (tmp_path / "cooling_device0").mkdir()
    assert driver(tmp_path).read_mc() == {"cpu-thermal": 54321, "thermal_zone2": -5000, "cpu-thermal-10": 60000}


@pytest.mark.parametrize("text", ["", "hot", "1e5", "999999999999", "250000", "-90000", "é"])
def test_a_zone_that_talks_nonsense_is_left_out(tmp_path: Path, text: str) -> None:
    zone(tmp_path, 0, "gpu", text)
    zone(tmp_path, 1, "cpu", "40000")
    assert driver(tmp_path).read_mc() == {"cpu": 40000}


def test_no_zone_at_all_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="no temperature"):
        driver(tmp_path).read_mc()
    zone(tmp_path, 0, "cpu", None)
    with pytest.raises(DeviceLost, match="no temperature"):
        driver(tmp_path).read_mc()


@pytest.mark.parametrize(
    ("mask", "now"),
    [
        ("0", False),
        ("50000", False),
        ("50005", True),
        ("0x4", True),
        ("8", True),
        ("1", True),
        ("nonsense", False),
        ("", False),
    ],
)
def test_the_firmwares_mask_says_whether_it_is_throttled_now(tmp_path: Path, mask: str, now: bool) -> None:
    (tmp_path / "get_throttled").write_text(mask + "\n")
    assert driver(tmp_path).throttled() is now


def test_a_board_without_the_mask_is_not_throttled(tmp_path: Path) -> None:
    assert driver(tmp_path).throttled() is False


def test_options_must_be_paths() -> None:
    with pytest.raises(BadDriverOption, match="root must be a path"):
        LinuxThermal(root="")


def test_this_kernels_tree_can_be_read() -> None:
    try:
        zones = LinuxThermal().read_mc()
    except DeviceLost:
        pytest.skip("this machine shows no thermal zone")
    assert zones


def test_the_simulated_board_looks_like_one(tmp_path: Path) -> None:
    feed = ThermalFeed(tmp_path)
    assert driver(tmp_path).read_mc() == {"cpu-thermal": 48000}
    feed.set(celsius=85)
    assert (driver(tmp_path).read_mc(), driver(tmp_path).throttled()) == ({"cpu-thermal": 85000}, True)
    feed.set(celsius=40)
    assert driver(tmp_path).throttled() is False
    feed.remove()
    with pytest.raises(DeviceLost):
        driver(tmp_path).read_mc()
    with pytest.raises(ValueError, match="no temperature"):
        feed.set(celsius=400)

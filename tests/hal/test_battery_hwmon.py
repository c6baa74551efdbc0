"""A voltage and current monitor as a gauge, on trees of files as the kernel's hwmon makes them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.battery import BatteryReading
from hal.battery_hwmon import SMOOTHED, HwmonBattery
from hal.discharge_curve import CURVES, curve_of, percent_at
from hal.errors import BadDriverOption, BatteryLost


class Monitor:
    """An INA219 as the kernel's driver ina2xx shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "hwmon2"
        self.plug()

    def plug(self, number: int = 2) -> None:
        (self.root / "hwmon0").mkdir(exist_ok=True)
        (self.root / "hwmon0/name").write_text("cpu_thermal\n")
        self.path = self.root / f"hwmon{number}"
        self.path.mkdir()
        (self.path / "name").write_text("ina219\n")
        self.shows(3830, -300)

    def shows(self, mv: object, ma: object) -> None:
        (self.path / "in1_input").write_text(f"{mv}\n")
        (self.path / "curr1_input").write_text(f"{ma}\n")

    def unplug(self) -> None:
        for file in self.path.iterdir():
            file.unlink()
        self.path.rmdir()


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path)


def settled(battery: HwmonBattery) -> BatteryReading:
    return [battery.read() for _ in range(SMOOTHED)][-1]


def test_voltage_and_current_become_charge_status_and_what_is_left(monitor: Monitor) -> None:
    battery = HwmonBattery(capacity_mah=3000, root=str(monitor.root))
    assert battery.read() == BatteryReading(
        status="discharging",
        percent=55,  # 3.83 V and 300 mA over 0.1 ohm: 3.86 V at rest
        voltage_uv=3_830_000,
        current_ua=-300_000,
        charge_now_uah=1_650_000,
        charge_full_design_uah=3_000_000,
    )


def test_a_heavy_load_does_not_empty_the_cell_on_paper(monitor: Monitor) -> None:
    battery = HwmonBattery(resistance_mohm=150, root=str(monitor.root))
    at_ease = settled(battery).percent
    monitor.shows(3830 - 255, -2000)  # 1.7 A more over 150 milliohms
    assert settled(battery).percent == at_ease


def test_a_burst_of_noise_moves_the_charge_by_a_few_percent_at_most(monitor: Monitor) -> None:
    battery = HwmonBattery(root=str(monitor.root))
    before = settled(battery).percent
    monitor.shows(3700, -300)
    after = battery.read().percent
    assert before is not None
    assert after is not None
    assert 0 < before - after <= 3


@pytest.mark.parametrize(
    ("mv", "ma", "status"),
    [
        (4000, 800, "charging"),
        (4000, -800, "discharging"),
        (4000, 5, "not_charging"),
        (4190, -5, "full"),
    ],
)
def test_the_current_says_whether_it_charges(monitor: Monitor, mv: int, ma: int, status: str) -> None:
    monitor.shows(mv, ma)
    assert HwmonBattery(root=str(monitor.root)).read().status == status
    monitor.shows(mv, -ma)
    assert HwmonBattery(invert_current=True, root=str(monitor.root)).read().status == status


def test_pulling_the_charger_forgets_the_average_of_charging(monitor: Monitor) -> None:
    battery = HwmonBattery(resistance_mohm=0, root=str(monitor.root))
    monitor.shows(4100, 1000)
    assert settled(battery).percent == 90
    monitor.shows(3830, -300)
    assert battery.read().percent == 50


def test_two_cells_share_the_voltage(monitor: Monitor) -> None:
    monitor.shows(7660, 0)
    assert HwmonBattery(cells=2, root=str(monitor.root)).read().percent == 50


def test_a_chip_that_comes_back_under_another_number_is_found(monitor: Monitor) -> None:
    battery = HwmonBattery(root=str(monitor.root))
    battery.read()
    monitor.unplug()
    with pytest.raises(BatteryLost, match="no chip ina219"):
        battery.read()
    monitor.plug(5)
    assert battery.read().percent == 55


@pytest.mark.parametrize(
    ("mv", "ma", "sentence"),
    [
        (12, -3, "measures 0.01 V, which is no battery of 1 cell"),
        (7660, -3, "check that the battery is plugged in, and the setting `cells`"),
        ("", -3, "says '', which nothing measures"),
        ("9" * 60, -3, "which nothing measures"),
        (3830, "1e3", "says '1e3', which nothing measures"),
    ],
)
def test_what_no_cell_has_is_a_lost_gauge_and_no_charge(
    monitor: Monitor, mv: object, ma: object, sentence: str
) -> None:
    monitor.shows(mv, ma)
    with pytest.raises(BatteryLost, match=sentence):
        HwmonBattery(root=str(monitor.root)).read()


def test_a_file_that_vanishes_is_a_lost_gauge(monitor: Monitor) -> None:
    (monitor.path / "curr1_input").unlink()
    with pytest.raises(BatteryLost, match="the gauge is gone"):
        HwmonBattery(root=str(monitor.root)).read()
    with pytest.raises(BatteryLost, match="cannot be listed"):
        HwmonBattery(root=str(monitor.root / "nowhere")).read()


@pytest.mark.parametrize("name", CURVES)
def test_each_curve_rises_from_empty_to_full(name: str) -> None:
    curve = CURVES[name]
    assert (curve[0][1], curve[-1][1]) == (0, 100)
    assert all(low[0] < high[0] and low[1] < high[1] for low, high in itertools.pairwise(curve))


@given(st.sampled_from(sorted(CURVES)), st.integers(0, 6_000_000), st.integers(0, 6_000_000))
def test_more_voltage_is_never_less_charge(name: str, one_uv: int, other_uv: int) -> None:
    low, high = sorted((one_uv, other_uv))
    assert 0 <= percent_at(CURVES[name], low) <= percent_at(CURVES[name], high) <= 100


def test_a_curve_of_ones_own_takes_the_place_of_the_chemistry(monitor: Monitor) -> None:
    monitor.shows(3500, 0)
    assert HwmonBattery(curve=[[3000, 0], [4000, 100]], root=str(monitor.root)).read().percent == 50


@pytest.mark.parametrize(
    "points", [[], [[3000, 0]], [[3000, 0], [2900, 100]], [[3000, 50], [4000, 40]], [[3000, 0], [4000, 101]], "li-ion"]
)
def test_a_curve_that_does_not_rise_is_refused(points: Any) -> None:
    with pytest.raises(BadDriverOption, match="battery: "):
        curve_of("li-ion", points)


@pytest.mark.parametrize(
    "options",
    [{"name": "../x"}, {"chemistry": "lead"}, {"cells": 0}, {"capacity_mah": 1}, {"invert_current": 1}, {"root": ""}],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption):
        HwmonBattery(**options)

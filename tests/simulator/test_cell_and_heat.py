"""The simulated battery and board: by load, cold, age and sun, and what the camera's own forecast makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from device.heat import HeatWatch
from device.policy import Profile
from device.power import Level, Limits, PowerWatch
from hal.battery_power_supply import PowerSupplyBattery
from hal.errors import BatteryLost
from hal.thermal_linux import LinuxThermal
from simulator.battery_feed import BatteryFeed
from simulator.cell import LOADS_MA, Cell
from simulator.gauge import Gauge
from simulator.heat import BoardHeat
from simulator.thermal_feed import ThermalFeed

HOUR_S = 3600.0
SECOND = 10**9
POLICY = Profile(v=1, name="test", version=1)
LIMITS = Limits(POLICY.low_battery_min, POLICY.critical_battery_min, POLICY.power_off_percent)


def lasts_h(cell: Cell, load_ma: float) -> float:
    """Until the cell is empty or the board browns out."""
    for minute in range(60 * 100):
        if cell.share <= 0 or cell.browns_out(load_ma):
            return minute / 60
        cell.step(60, load_ma)
    raise AssertionError("it lasts for ever")


def test_more_work_empties_it_faster() -> None:
    hours = [lasts_h(Cell(), LOADS_MA[load]) for load in ("uploading", "recording", "ready", "sleeping")]
    assert hours == sorted(hours)
    assert hours[1] == pytest.approx(3000 / 260, abs=0.5), "a shift of recording"


@pytest.mark.requirement("R8")
def test_cold_and_age_take_hours_away_and_let_the_voltage_sag() -> None:
    warm, cold, old = Cell(), Cell(temperature_c=-20), Cell()
    old.age(3000, 500)
    assert lasts_h(cold, 260) < 0.7 * lasts_h(Cell(), 260)
    assert lasts_h(old, 260) == pytest.approx(0.8 * lasts_h(Cell(), 260), abs=0.5)
    assert warm.voltage(1000) > old.voltage(1000) > cold.voltage(1000)
    assert warm.voltage(0) - warm.voltage(1000) < 0.1


def test_a_cell_that_gets_cold_has_less_and_gets_it_back_in_the_warm() -> None:
    cell = Cell()
    cell.fill(0.5)
    cell.temperature_c = -20
    assert 0.1 < cell.share < 0.25
    cell.temperature_c = 24
    assert cell.share == pytest.approx(0.5)
    cell.fill(0.2)
    cell.temperature_c = -20
    assert cell.share == 0
    cell.step(HOUR_S, 260)
    cell.temperature_c = 24
    assert cell.share == pytest.approx(0.2), "what cannot be had is not drawn either"


def test_a_cold_worn_cell_browns_out_under_a_surge_that_a_new_one_bears() -> None:
    new, worn = Cell(), Cell(temperature_c=-20)
    worn.age(3000, 800)
    for cell in (new, worn):
        cell.fill(0.15)
    assert not new.browns_out(1000)
    assert worn.browns_out(1000)


def test_the_charger_is_fast_first_and_slow_at_the_end() -> None:
    gauge = Gauge(status="charging")
    gauge.cell.fill(0)
    gauge.step(HOUR_S)
    assert gauge.percent == pytest.approx(50)
    gauge.step(HOUR_S)
    assert 85 < gauge.percent < 100
    gauge.step(2 * HOUR_S)
    assert (gauge.percent, gauge.status) == (100, "full")


def levels(gauge: Gauge, hours: float) -> list[tuple[Level, float]]:
    """Each level that the camera comes to, and at how many true percent.

    It switches off at 0 %: at the profile's 2 % this cell still has 17 minutes, and `critical` (10) never comes.
    """
    watch, found = PowerWatch(replace(LIMITS, off_percent=0)), []
    for tick in range(int(hours * 3600 / 2)):
        gauge.step(2)
        level = watch.look(gauge.reading(), tick * 2 * SECOND).level
        if not found or found[-1][0] != level:
            found.append((level, gauge.percent))
        if level == "empty":
            break
    return found


@pytest.mark.requirement("R8", "R22")
@pytest.mark.parametrize("temperature_c", [24, -15])
def test_the_camera_warns_twice_before_the_cell_is_empty_also_in_the_cold(temperature_c: int) -> None:
    gauge = Gauge(Cell(temperature_c=temperature_c))
    gauge.cell.fill(0.1)
    found = levels(gauge, 3)
    assert [level for level, _ in found] == ["good", "low", "critical", "empty"]
    assert found[-1][1] > 0, "switched off in order, before the cell does it"


@pytest.mark.requirement("R22")
def test_a_gauge_that_says_empty_of_a_charged_cell_is_not_believed() -> None:
    gauge = Gauge()
    gauge.cell.fill(0.8)
    watch = PowerWatch(LIMITS)
    assert watch.look(gauge.reading(), 0).believed
    gauge.says_percent = 0
    judged = [watch.look(gauge.reading(), tick * 2 * SECOND) for tick in range(1, 20)]
    assert not any(one.believed for one in judged)
    assert "empty" not in {one.level for one in judged}


def test_the_files_say_what_the_gauge_says_and_only_what_changed_is_written(tmp_path: Path) -> None:
    feed, driver = BatteryFeed(tmp_path, percent=55), PowerSupplyBattery(str(tmp_path))
    assert driver.read() == feed.gauge.reading()
    before = (tmp_path / "battery" / "cycle_count").stat().st_ino
    feed.works("sleeping")
    feed.tick(600)
    assert driver.read() == feed.gauge.reading()
    assert driver.read().current_ua == -45_000
    assert (tmp_path / "battery" / "cycle_count").stat().st_ino == before
    feed.remove()
    feed.tick(1)
    with pytest.raises(BatteryLost):
        driver.read()
    with pytest.raises(BatteryLost):
        feed.gauge.reading()


def test_a_board_gets_as_warm_as_its_work_and_a_car_in_the_sun_makes_it_hot() -> None:
    shade = BoardHeat(celsius=24)
    for _ in range(60):
        shade.step(60, "recording")
    assert shade.celsius == pytest.approx(48, abs=0.5)
    car = BoardHeat(ambient_c=32, sun=1, in_car=True)
    minutes = 0
    while not car.throttled:
        car.step(60, "recording")
        minutes += 1
    assert 2 < minutes < 15
    assert car.settled_c("recording") < car.surroundings_c + 24
    car.sun, car.ambient_c = 0, 20
    for _ in range(30):
        car.step(60, "ready")
    assert not car.throttled
    assert car.celsius < 45


@pytest.mark.requirement("R22")
def test_the_camera_finds_the_board_hot_when_the_sun_makes_it_so_and_well_again_in_the_shade(tmp_path: Path) -> None:
    feed = ThermalFeed(tmp_path)
    thermal = LinuxThermal(root=str(tmp_path), throttled_file=str(tmp_path / "get_throttled"))
    watch, bands = HeatWatch(), []
    for second in range(0, 5400, 10):
        if second == 600:
            feed.weather(34, 1.0, in_car=True)
        if second == 2400:
            feed.weather(20)
        feed.tick(10, "recording")
        bands.append(watch.look(thermal.read_mc(), thermal.throttled(), None, second * SECOND))
    assert bands[50] == "normal"
    assert "critical" in bands
    assert bands[-1] == "normal"

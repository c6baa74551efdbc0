"""How long the battery lasts and what follows; odd gauges; ageing; heat; the last shift (R8, R22). Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import last_shift, power_checks
from device.heat import HeatWatch
from device.last_shift import LastShift, ran_out
from device.policy import Profile
from device.power import SECOND, Forecast, Judgement, Limits, PowerWatch, Prediction, discharging, health_percent
from hal.battery import BatteryReading

LIMITS = Limits(low_min=20, critical_min=10, off_percent=2)
POLICY = Profile(v=1, name="p", version=1, shift_h=10)


def reading(percent: int | None = 50, **more: Any) -> BatteryReading:
    return BatteryReading(**{"status": "discharging", "percent": percent, **more})


def until_off(minutes: int) -> BatteryReading:
    """Half full, and so many minutes from the switch-off at 2 %."""
    return reading(50, time_to_empty_s=minutes * 60 * 50 // 48)


class Gauge:
    """A watch that is shown a reading every two seconds."""

    def __init__(self) -> None:
        self.watch = PowerWatch(LIMITS)
        self.now_ns = 0

    def show(self, one: BatteryReading, seconds: int = 2) -> Judgement:
        for _ in range(max(1, seconds // 2)):
            self.now_ns += 2 * SECOND
            judged = self.watch.look(one, self.now_ns)
        return judged


def test_the_gauges_own_time_is_taken_first_then_charge_and_current() -> None:
    full = reading(50, time_to_empty_s=3600, charge_now_uah=1_000_000, current_ua=-250_000)
    assert Forecast().look(full, 0) == Prediction(60, "gauge")
    plain = reading(50, charge_now_uah=1_000_000, current_ua=-250_000)
    assert Forecast().look(plain, 0) == Prediction(240, "charge")


def test_a_gauge_that_only_knows_percent_is_predicted_by_how_it_falls() -> None:
    forecast = Forecast()
    assert forecast.look(reading(50), 0).minutes is None, "nobody can say yet"
    assert forecast.look(reading(49), 200 * SECOND).minutes is None, "one point says nothing"
    assert forecast.look(reading(48), 400 * SECOND) == Prediction(48 * 400 / 2 / 60, "slope")
    assert forecast.look(reading(60), 500 * SECOND).minutes is None, "it was charged: begin anew"


def test_what_lies_below_the_switch_off_does_not_count() -> None:
    half = reading(20, time_to_empty_s=3600, charge_now_uah=1_000_000, current_ua=-250_000)
    assert Forecast(10).look(half, 0) == Prediction(30, "gauge")
    assert Forecast(20).look(half, 0) == Prediction(0, "gauge")
    falling = Forecast(8)
    falling.look(reading(50), 0)
    assert falling.look(reading(48), 400 * SECOND) == Prediction(40 * 400 / 2 / 60, "slope")
    assert Forecast(10).look(reading(None, time_to_empty_s=3600), 0) == Prediction(60, "gauge"), "no share is known"


def test_a_charged_camera_has_no_end() -> None:
    assert Forecast().look(reading(5, status="charging", time_to_empty_s=60), 0).minutes is None
    gauge = Gauge()
    assert gauge.show(reading(1, status="charging", time_to_empty_s=60), 60).level == "good"


@pytest.mark.requirement("R22")
@pytest.mark.parametrize(
    ("minutes", "level"), [(60, "good"), (21, "good"), (20, "low"), (11, "low"), (10, "critical"), (1, "critical")]
)
def test_the_level_follows_the_minutes_left(minutes: int, level: str) -> None:
    assert Gauge().show(until_off(minutes), 20).level == level


@pytest.mark.requirement("R22")
def test_each_level_comes_before_the_switch_off_however_slowly_the_battery_falls() -> None:
    """Half a percent a minute, off at 2 %: ten minutes before that the gauge still speaks of fourteen."""
    gauge, levels = Gauge(), list[str]()
    for tenth in range(300, 0, -1):
        one = reading(tenth // 10, time_to_empty_s=tenth * 12)
        level = gauge.show(one, 12).level
        if not levels or levels[-1] != level:
            levels.append(level)
    assert levels == ["good", "low", "critical", "empty"]


@pytest.mark.parametrize(("percent", "level"), [(16, "good"), (15, "low"), (7, "critical")])
def test_without_a_prediction_the_percentage_must_do(percent: int, level: str) -> None:
    assert Gauge().show(reading(percent), 20).level == level


def test_a_level_does_not_flutter() -> None:
    gauge = Gauge()
    assert gauge.show(until_off(20), 10).level == "low"
    assert gauge.show(until_off(22), 20).level == "low"
    assert gauge.show(until_off(24), 20).level == "good"


def test_an_empty_battery_switches_off_once_it_is_sure() -> None:
    gauge = Gauge()
    gauge.show(reading(3), 10)
    assert gauge.show(reading(2), 4).level != "empty"
    assert gauge.show(reading(2), 4).level == "empty"


@pytest.mark.parametrize("jump", [0, 1, 2])
def test_a_gauge_that_jumps_to_nothing_for_a_reading_changes_nothing(jump: int) -> None:
    gauge = Gauge()
    assert gauge.show(reading(80, time_to_empty_s=30_000), 60).level == "good"
    assert gauge.show(reading(jump, time_to_empty_s=0), 2).level == "good"
    judged = gauge.show(reading(80, time_to_empty_s=30_000), 60)
    assert (judged.level, judged.believed) == ("good", True)


def test_a_gauge_that_stays_at_nothing_warns_and_never_switches_off() -> None:
    gauge = Gauge()
    gauge.show(reading(80, time_to_empty_s=30_000, voltage_uv=3_900_000), 60)
    judged = gauge.show(reading(0, time_to_empty_s=0, voltage_uv=3_900_000), 600)
    assert (judged.level, judged.believed) == ("critical", False)


def test_a_cell_that_collapses_is_believed_by_its_voltage() -> None:
    gauge = Gauge()
    gauge.show(reading(30, voltage_uv=3_600_000), 60)
    assert gauge.show(reading(1, voltage_uv=3_200_000), 10).level == "empty"


def test_a_gauge_that_begins_at_nothing_must_first_be_seen_to_work() -> None:
    assert Gauge().show(reading(0), 600).level == "critical"
    assert Gauge().show(reading(0, voltage_uv=3_250_000), 20).level == "empty"
    assert Gauge().show(reading(0, voltage_uv=7_000_000), 600).level == "critical", "a pack's voltage says nothing here"


def test_a_jump_upwards_does_not_make_the_way_back_a_jump() -> None:
    gauge = Gauge()
    gauge.show(reading(20), 20)
    gauge.show(reading(100), 2)
    assert gauge.show(reading(20), 2).believed


def test_ageing_is_what_a_full_charge_still_holds() -> None:
    aged = reading(90, charge_full_uah=1_500_000, charge_full_design_uah=3_000_000, cycles=310)
    assert health_percent(aged) == 50
    seen = power_checks.health(aged, POLICY)
    assert (seen.outcome, seen.value) == ("fail", "50 % of the design, 310 cycles")
    assert power_checks.health(reading(90), POLICY).outcome == "pass", "a gauge that does not say blocks nobody"


@pytest.mark.requirement("R8")
def test_the_charge_must_last_for_the_shift() -> None:
    assert power_checks.runtime(reading(50), POLICY, Prediction(599, "gauge")).outcome == "fail"
    assert power_checks.runtime(reading(50), POLICY, Prediction(600, "gauge")).outcome == "pass"
    docked = reading(100, status="full", charge_now_uah=3_000_000)
    seen = power_checks.runtime(docked, POLICY, usual_ua=400_000)
    assert (seen.outcome, seen.value) == ("fail", "7.3 h by the usual draw"), "down to 2 %, where it switches off"
    assert power_checks.runtime(docked, POLICY).outcome == "pass", "a new camera does not know its draw yet"


@pytest.mark.requirement("R8")
def test_charge_temperature_and_a_lost_gauge() -> None:
    assert power_checks.charge(reading(30), None, POLICY).outcome == "pass"
    assert power_checks.charge(reading(29), None, POLICY).outcome == "fail"
    assert power_checks.charge(reading(90, temperature_dc=610), None, POLICY).outcome == "fail"
    assert power_checks.charge(None, "the gauge is gone", POLICY).outcome == "fail"
    assert power_checks.charge(None, None, POLICY).outcome == "not_present"


@pytest.mark.requirement("R22")
def test_heat_is_told_in_bands_with_hysteresis() -> None:
    heat, now = HeatWatch(), 0

    def warm(celsius: float, throttled: bool = False, battery_dc: int | None = None) -> str:
        nonlocal now
        for _ in range(5):
            now += 2 * SECOND
            heat.look({"cpu": round(celsius * 1000)}, throttled, battery_dc, now)
        return heat.band

    assert warm(50) == "normal"
    assert warm(66) == "warm"
    assert warm(76) == "hot"
    assert warm(71) == "hot", "not cool enough yet"
    assert warm(69) == "warm"
    assert warm(90) == "critical"
    assert warm(40) == "normal"
    assert warm(40, throttled=True) == "hot", "the board says so itself"
    assert warm(40, battery_dc=560) == "hot"


def test_one_hot_reading_is_no_heat() -> None:
    heat = HeatWatch()
    heat.look({"cpu": 50_000}, False, None, 0)
    heat.look({"cpu": 120_000}, False, None, 2 * SECOND)
    assert heat.look({"cpu": 50_000}, False, None, 4 * SECOND) == "normal"


def test_a_camera_that_went_dark_with_a_low_battery_has_died() -> None:
    assert ran_out(LastShift(percent=4, level="critical", boot="a"), "b")
    assert ran_out(LastShift(percent=3, end="battery_empty", boot="a"), "b")
    assert not ran_out(LastShift(percent=80, boot="a"), "b"), "somebody pulled the battery"
    assert not ran_out(LastShift(percent=4, level="critical", charging=True, boot="a"), "b")
    assert not ran_out(LastShift(percent=4, level="critical", end="shutdown", boot="a"), "b")
    assert not ran_out(LastShift(percent=4, level="critical", boot="a"), "a"), "the daemon died, not the board"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"v":2}', b'{"x":1}', b"\xff" * 10, b" " * 5000, b'{"percent":101}']
)
def test_a_damaged_state_file_is_no_reason_for_anything(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "power.json").write_bytes(data)
    assert last_shift.load(tmp_path / "power.json") is None


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = LastShift(percent=40, usual_ua=260_000, boot="a")
    last_shift.save(tmp_path / "state" / "power.json", state)
    assert last_shift.load(tmp_path / "state" / "power.json") == state
    assert last_shift.load(tmp_path / "nothing.json") is None


READINGS = st.builds(
    BatteryReading,
    status=st.sampled_from(["charging", "discharging", "full", "not_charging", "unknown"]),
    percent=st.none() | st.integers(0, 100),
    voltage_uv=st.none() | st.integers(0, 100_000_000),
    current_ua=st.none() | st.integers(-5_000_000, 5_000_000),
    charge_now_uah=st.none() | st.integers(0, 10_000_000),
    time_to_empty_s=st.none() | st.integers(0, 600_000),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(READINGS, min_size=1, max_size=40))
def test_whatever_a_gauge_says_three_believed_readings_come_before_the_end(readings: list[BatteryReading]) -> None:
    watch, before, seen = PowerWatch(LIMITS), "good", 0
    for number, one in enumerate(readings):
        judged = watch.look(one, number * 2 * SECOND)
        low = one.percent is not None and one.percent <= LIMITS.off_percent and judged.believed and discharging(one)
        seen = seen + 1 if low else 0
        if judged.level == "empty" and before != "empty":
            assert seen >= 3, "one odd reading switched the camera off"
        before = judged.level

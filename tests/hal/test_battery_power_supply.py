"""The fuel gauge through the files of /sys/class/power_supply: a lost gauge is a fault, never an empty battery."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.battery_power_supply import MAX_UEVENT_BYTES, PowerSupplyBattery, parse_uevent, reading_of
from hal.errors import BadDriverOption, BatteryLost

FULL_GAUGE = {
    "NAME": "bq27441-0",
    "TYPE": "Battery",
    "STATUS": "Discharging",
    "PRESENT": "1",
    "VOLTAGE_NOW": "3812000",
    "CURRENT_NOW": "-412000",
    "CAPACITY": "63",
    "TEMP": "287",
    "TIME_TO_EMPTY_NOW": "15120",
    "CHARGE_FULL": "2950000",
    "CHARGE_NOW": "1858500",
    "CHARGE_FULL_DESIGN": "3000000",
    "CYCLE_COUNT": "41",
}


def write_supply(root: Path, name: str, keys: dict[str, str]) -> Path:
    directory = root / name
    directory.mkdir()
    text = "".join(f"POWER_SUPPLY_{key}={value}\n" for key, value in keys.items())
    (directory / "uevent").write_text(text, encoding="ascii")
    return directory


def test_a_full_gauge_is_read_in_its_own_units(tmp_path: Path) -> None:
    write_supply(tmp_path, "ac", {"TYPE": "Mains", "ONLINE": "1"})
    write_supply(tmp_path, "bq27441-0", FULL_GAUGE)
    reading = PowerSupplyBattery(str(tmp_path)).read()
    assert (reading.status, reading.percent, reading.cycles) == ("discharging", 63, 41)
    assert (reading.voltage_uv, reading.current_ua) == (3_812_000, -412_000)
    assert (reading.charge_now_uah, reading.charge_full_uah) == (1_858_500, 2_950_000)
    assert reading.charge_full_design_uah == 3_000_000
    assert (reading.temperature_dc, reading.time_to_empty_s) == (287, 15_120)


def test_the_kernels_own_test_driver_is_read_as_it_writes(tmp_path: Path) -> None:
    """test_power, the lab: its time to empty never moves, its cell has 3.3 mV, and mains supplies are beside it."""
    for name, kind in (("test_ac", "Mains"), ("test_usb", "USB")):
        write_supply(tmp_path, name, {"NAME": name, "TYPE": kind, "ONLINE": "1"})
    keys = {
        "NAME": "test_battery",
        "TYPE": "Battery",
        "STATUS": "Discharging",
        "CHARGE_TYPE": "Fast",
        "HEALTH": "Good",
        "PRESENT": "1",
        "TECHNOLOGY": "Li-ion",
        "CHARGE_FULL_DESIGN": "100",
        "CHARGE_FULL": "100",
        "CHARGE_NOW": "50",
        "CAPACITY": "50",
        "CAPACITY_LEVEL": "Normal",
        "CHARGE_COUNTER": "-1000",
        "TIME_TO_EMPTY_AVG": "3600",
        "TIME_TO_FULL_NOW": "3600",
        "TEMP": "26",
        "VOLTAGE_NOW": "3300",
        "CURRENT_AVG": "-1600",
        "CURRENT_NOW": "-1600",
        "CHARGE_BEHAVIOUR": "[auto] inhibit-charge",
        "MODEL_NAME": "Test battery",
    }
    write_supply(tmp_path, "test_battery", keys)
    reading = PowerSupplyBattery(str(tmp_path)).read()
    assert (reading.status, reading.percent, reading.time_to_empty_s) == ("discharging", 50, 3600)
    assert (reading.voltage_uv, reading.current_ua, reading.temperature_dc) == (3300, -1600, 26)
    assert (reading.charge_now_uah, reading.charge_full_design_uah) == (50, 100)
    write_supply(tmp_path, "absent", keys | {"PRESENT": "0"})
    with pytest.raises(BatteryLost, match="sees no battery"):
        PowerSupplyBattery(str(tmp_path)).read()


def test_a_gauge_in_watt_hours_is_converted_by_its_design_voltage() -> None:
    keys = {
        "STATUS": "Charging",
        "ENERGY_NOW": "5550000",
        "ENERGY_FULL": "11100000",
        "ENERGY_FULL_DESIGN": "12000000",
        "VOLTAGE_MIN_DESIGN": "3700000",
        "VOLTAGE_NOW": "4000000",
        "POWER_NOW": "2000000",
    }
    reading = reading_of(keys)
    assert (reading.percent, reading.charge_now_uah, reading.charge_full_uah) == (50, 1_500_000, 3_000_000)
    assert reading.current_ua == 500_000
    del keys["VOLTAGE_MIN_DESIGN"]
    assert (reading_of(keys).charge_now_uah, reading_of(keys).percent) == (None, 50)


def test_absent_keys_are_none_and_the_status_is_unknown() -> None:
    reading = reading_of({"TYPE": "Battery"})
    assert reading.status == "unknown"
    values = (reading.percent, reading.voltage_uv, reading.current_ua, reading.temperature_dc, reading.time_to_empty_s)
    assert values == (None,) * 5


@pytest.mark.parametrize(
    ("keys", "percent"),
    [
        ({"CHARGE_NOW": "1999999", "CHARGE_FULL": "2000000"}, 99),
        ({"CHARGE_NOW": "2100000", "CHARGE_FULL": "2000000"}, 100),
        ({"CHARGE_NOW": "4000001", "CHARGE_FULL": "2000000"}, None),
        ({"CHARGE_NOW": "1", "CHARGE_FULL": "0"}, None),
        ({"CAPACITY": "101"}, None),
        ({"CAPACITY": "-1"}, None),
        ({"CAPACITY": "250", "CHARGE_NOW": "1", "CHARGE_FULL": "2"}, None),
        ({"CAPACITY": "0"}, 0),
    ],
)
def test_the_percentage_is_the_gauges_or_computed_when_it_has_none(keys: dict[str, str], percent: int | None) -> None:
    assert reading_of(keys).percent == percent


@pytest.mark.parametrize("text", ["", " 5", "0x10", "1e3", "5.0", "+5", "1_000", "٣", "9" * 13])
def test_integers_are_strict(text: str) -> None:
    assert reading_of({"VOLTAGE_NOW": text}).voltage_uv is None


def test_a_driver_without_signs_gets_them_from_the_status() -> None:
    assert reading_of({"STATUS": "Discharging", "CURRENT_NOW": "5000"}).current_ua == -5000
    assert reading_of({"STATUS": "Charging", "CURRENT_NOW": "-5000"}).current_ua == -5000, "drained while plugged in"


def test_what_cannot_be_is_none() -> None:
    keys = {"TEMP": "1501", "CYCLE_COUNT": "-1", "TIME_TO_EMPTY_NOW": "3932100", "CURRENT_NOW": "999999999999"}
    reading = reading_of(keys)
    assert (reading.temperature_dc, reading.cycles, reading.time_to_empty_s, reading.current_ua) == (None,) * 4


def test_a_gauge_that_vanishes_is_lost_and_says_what_to_do(tmp_path: Path) -> None:
    directory = write_supply(tmp_path, "bat", FULL_GAUGE)
    named = PowerSupplyBattery(str(tmp_path), "bat")
    assert named.read().percent == 63
    (directory / "uevent").unlink()
    with pytest.raises(BatteryLost, match="check its wiring"):
        named.read()
    directory.rmdir()
    for battery in (named, PowerSupplyBattery(str(tmp_path)), PowerSupplyBattery(str(tmp_path / "nowhere"))):
        with pytest.raises(BatteryLost, match="check"):
            battery.read()


def test_a_gauge_without_a_battery_is_lost(tmp_path: Path) -> None:
    write_supply(tmp_path, "bat", FULL_GAUGE | {"PRESENT": "0"})
    with pytest.raises(BatteryLost, match="insert the battery"):
        PowerSupplyBattery(str(tmp_path)).read()


def test_a_peripherals_battery_is_not_ours(tmp_path: Path) -> None:
    write_supply(tmp_path, "a-mouse", {"TYPE": "Battery", "SCOPE": "Device", "CAPACITY": "5"})
    with pytest.raises(BatteryLost):
        PowerSupplyBattery(str(tmp_path)).read()
    write_supply(tmp_path, "bat", FULL_GAUGE)
    assert PowerSupplyBattery(str(tmp_path)).read().percent == 63


def test_an_old_kernel_keeps_the_type_in_its_own_file(tmp_path: Path) -> None:
    directory = write_supply(tmp_path, "bat", {"STATUS": "Full", "CAPACITY": "100"})
    (directory / "type").write_text("Battery\n", encoding="ascii")
    assert PowerSupplyBattery(str(tmp_path)).read().status == "full"


def test_a_file_that_is_too_large_or_not_a_battery_is_refused(tmp_path: Path) -> None:
    directory = write_supply(tmp_path, "bat", FULL_GAUGE)
    (directory / "uevent").write_bytes(b"POWER_SUPPLY_TYPE=Battery\n" + b"x" * MAX_UEVENT_BYTES)
    with pytest.raises(BatteryLost, match="16 KiB"):
        PowerSupplyBattery(str(tmp_path)).read()
    write_supply(tmp_path, "ac", {"TYPE": "Mains"})
    with pytest.raises(BatteryLost, match="no battery but 'Mains'"):
        PowerSupplyBattery(str(tmp_path), "ac").read()


@pytest.mark.parametrize("name", ["../bat", "", ".", "..", "a/b", "a\0"])
def test_the_name_is_no_path(name: str) -> None:
    with pytest.raises(BadDriverOption):
        PowerSupplyBattery(name=name)


_KEY = st.sampled_from([*FULL_GAUGE, "ENERGY_NOW", "ENERGY_FULL", "VOLTAGE_MIN_DESIGN", "POWER_NOW"])
_VALUE = (
    st.integers(-(10**14), 10**14).map(str) | st.sampled_from(["Charging", "Full", "", "nan"]) | st.text(max_size=9)
)
_LINE = st.builds(lambda key, value: f"POWER_SUPPLY_{key}={value}".encode(), _KEY, _VALUE) | st.binary(max_size=60)


@given(st.lists(_LINE, max_size=40))
def test_no_uevent_makes_the_parser_raise_or_believe_nonsense(lines: list[bytes]) -> None:
    reading = reading_of(parse_uevent(b"\n".join(lines)))
    assert reading.percent is None or 0 <= reading.percent <= 100
    assert reading.voltage_uv is None or 0 <= reading.voltage_uv <= 100_000_000
    assert reading.current_ua is None or abs(reading.current_ua) <= 100_000_000
    for charge in (reading.charge_now_uah, reading.charge_full_uah, reading.charge_full_design_uah):
        assert charge is None or 0 <= charge <= 1_000_000_000

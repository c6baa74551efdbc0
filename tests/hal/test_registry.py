"""Drivers are found by name; what is wrong in the settings is said with the nearest match."""

from __future__ import annotations

import pytest

from hal.errors import BadDriverOption, DriverNotFound, SimulatedDriverRefused
from hal.registry import find_driver, load_driver


def test_an_unknown_driver_names_the_nearest() -> None:
    with pytest.raises(DriverNotFound, match="did you mean 'nmea-serial'"):
        find_driver("gps", "nmea-seral", allow_simulated=False)


def test_a_simulated_driver_needs_permission() -> None:
    with pytest.raises(SimulatedDriverRefused, match="--allow-simulated"):
        find_driver("camera", "simulated-scene", allow_simulated=False)
    assert find_driver("camera", "simulated-scene", allow_simulated=True).module.startswith("simulator.")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(BadDriverOption, match="did you mean 'baud'"):
        load_driver("gps", "nmea-serial", {"port": "/dev/null", "bauds": 9600}, allow_simulated=False)


def test_a_known_option_reaches_the_driver() -> None:
    driver = load_driver("battery", "power-supply", {"root": "/nonexistent"}, allow_simulated=False)
    with pytest.raises(OSError, match="nonexistent"):
        driver.read()

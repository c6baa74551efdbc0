"""A vehicle's cameras in device.toml (R2): what is refused, and what a driver that cannot be loaded costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from camera_bench import CameraBench

from device.check_config import examine
from device.config import CameraChannel, Driver, load_settings
from device.errors import CannotStart
from device.hardware import load_hardware, simulated_drivers
from evidence.settings import BadSettings

Make = Callable[..., CameraBench]
SCENE: dict[str, Any] = {"driver": "simulated-scene", "options": {"width": 320, "height": 180}}


def vehicle(bench: Make, role: str = "dash", **cameras: dict[str, Any]) -> CameraBench:
    return bench(extra={"role": role, "vehicle": "CT-4711", "cameras": cameras})


def test_more_cameras_need_the_dash_role(bench: Make) -> None:
    with pytest.raises(BadSettings, match="role must be 'dash'"):
        load_settings(vehicle(bench, "body", cabin=SCENE).directory / "device.toml")


def test_the_first_cameras_name_is_taken(bench: Make) -> None:
    with pytest.raises(BadSettings, match="'windshield' is the first camera's name"):
        load_settings(vehicle(bench, windshield=SCENE).directory / "device.toml")


def test_an_option_that_a_channels_driver_does_not_have_is_named(bench: Make) -> None:
    wrong = {"driver": "simulated-scene", "options": {"widht": 320}}
    found = examine(vehicle(bench, cabin=wrong).directory / "device.toml", allow_simulated=True)
    assert any("'widht'" in error and "'width'" in error for error in found.errors)


@pytest.mark.requirement("R2", "R9")
def test_a_camera_whose_driver_cannot_be_loaded_is_missing_and_said_and_the_others_are_there(bench: Make) -> None:
    settings = load_settings(vehicle(bench, cabin={"driver": "nosuch"}, rear=SCENE).directory / "device.toml")
    hardware = load_hardware(settings, allow_simulated=True)
    assert hardware.channels["cabin"].camera is None
    assert hardware.channels["rear"].camera is not None
    assert len(hardware.all_cameras) == 2
    assert any(sentence.startswith("camera cabin nosuch: ") for sentence in hardware.missing)


def test_a_simulated_channel_needs_the_simulators_permission(bench: Make) -> None:
    """Invariant 11 holds for each camera of a vehicle, and for the microphone beside it."""
    settings = load_settings(bench().directory / "device.toml")
    real = msgspec.structs.replace(
        settings,
        role="dash",
        cameras={"cabin": CameraChannel(driver="simulated-scene", microphone=Driver(driver="simulated-tone"))},
    )
    assert simulated_drivers(real).count("camera.simulated-scene") == 2
    assert "microphone.simulated-tone" in simulated_drivers(real)
    with pytest.raises(CannotStart, match="simulated drivers"):
        load_hardware(real, allow_simulated=False)

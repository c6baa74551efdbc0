"""Load and hold this camera's drivers. What cannot be loaded is missing and said, never a reason not to record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from device.config import DeviceSettings
from device.driver_choice import Overruled, choose, configured
from device.errors import CannotStart
from hal.battery import Battery
from hal.camera import Camera
from hal.clock import Clock, SystemClock
from hal.errors import HalError, SimulatedDriverRefused
from hal.gps import GpsReceiver
from hal.indicators import Indicators
from hal.microphone import Microphone
from hal.motion import Motion
from hal.registry import find_driver, load_driver
from hal.storage import DirectoryStorage, Storage
from hal.switches import Switches
from hal.thermal import Thermal

log = logging.getLogger("firsthand.hardware")
T = TypeVar("T")


@dataclass
class Hardware:
    """The drivers that could be loaded. `missing` says in a sentence each what could not."""

    clock: Clock
    storage: Storage
    camera: Camera | None = None
    microphone: Microphone | None = None
    gps: GpsReceiver | None = None
    switches: Switches | None = None
    indicators: Indicators | None = None
    battery: Battery | None = None
    motion: Motion | None = None
    thermal: Thermal | None = None
    missing: list[str] = field(default_factory=list)
    overruled: list[Overruled] = field(default_factory=list)
    """Where the signed profile and device.toml name different drivers."""


def simulated_drivers(settings: DeviceSettings) -> list[str]:
    """Names of the configured drivers that come out of the simulator. Unknown names are not among them."""
    found: list[str] = []
    for seam, driver in configured(settings).items():
        try:
            find_driver(seam, driver.driver, allow_simulated=False)
        except SimulatedDriverRefused:
            found.append(f"{seam}.{driver.driver}")
        except HalError:
            continue
    return found


def driver_fault(seam: str, name: str, *, allow_simulated: bool) -> str | None:
    """Why a driver cannot be run here, in a sentence, or None."""
    try:
        find_driver(seam, name, allow_simulated=allow_simulated)
    except HalError as error:
        return str(error)
    return None


def load_hardware(
    settings: DeviceSettings, *, allow_simulated: bool, wanted: Mapping[str, str] | None = None
) -> Hardware:
    """Load every driver; those that the signed profile names (`wanted`) instead of device.toml's own.

    Raises `CannotStart` only for a simulated driver of device.toml that is not allowed (invariant 11).
    """
    if not allow_simulated and (simulated := simulated_drivers(settings)):
        raise CannotStart(
            f"simulated drivers ({', '.join(simulated)}) need --allow-simulated and a simulated certificate"
        )
    missing: list[str] = []
    fault = partial(driver_fault, allow_simulated=allow_simulated)
    chosen, overruled = choose(configured(settings), wanted or {}, fault)
    for one in overruled:
        log.warning("%s", one.sentence)

    def load(seam: str, **extra: Any) -> Any:
        driver = chosen.get(seam)
        if driver is None:
            return None
        try:
            return load_driver(seam, driver.driver, {**driver.options, **extra}, allow_simulated=allow_simulated)
        except (HalError, ImportError, OSError, TypeError, ValueError) as error:
            missing.append(f"{seam} {driver.driver}: {error}")
            log.error("%s", missing[-1])
            return None

    clock: Clock = load("clock") or SystemClock()
    pins = load("pins")
    return Hardware(
        clock=clock,
        storage=DirectoryStorage(Path(settings.spool)),
        camera=load("camera"),
        microphone=load("microphone"),
        gps=load("gps"),
        switches=load("switches", pin_factory=pins),
        indicators=load("indicators", pin_factory=pins),
        battery=load("battery"),
        motion=load("motion"),
        thermal=load("thermal"),
        missing=missing,
        overruled=overruled,
    )

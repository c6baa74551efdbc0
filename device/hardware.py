"""Load and hold this camera's drivers. What cannot be loaded is missing and said, never a reason not to record."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from device.config import DeviceSettings, Driver
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


def simulated_drivers(settings: DeviceSettings) -> list[str]:
    """Names of the configured drivers that come out of the simulator. Unknown names are not among them."""
    found: list[str] = []
    for seam, driver in _drivers(settings).items():
        try:
            find_driver(seam, driver.driver, allow_simulated=False)
        except SimulatedDriverRefused:
            found.append(f"{seam}.{driver.driver}")
        except HalError:
            continue
    return found


def _drivers(settings: DeviceSettings) -> dict[str, Driver]:
    named = {
        "camera": settings.camera,
        "microphone": settings.microphone,
        "gps": settings.gps,
        "switches": settings.switches,
        "indicators": settings.indicators,
        "battery": settings.battery,
        "motion": settings.motion,
        "thermal": settings.thermal,
        "clock": settings.clock,
        "pins": settings.pins,
    }
    return {seam: driver for seam, driver in named.items() if driver is not None}


def load_hardware(settings: DeviceSettings, *, allow_simulated: bool) -> Hardware:
    """Load every driver. Raises `CannotStart` only for a simulated driver that is not allowed (invariant 11)."""
    if not allow_simulated and (simulated := simulated_drivers(settings)):
        raise CannotStart(
            f"simulated drivers ({', '.join(simulated)}) need --allow-simulated and a simulated certificate"
        )
    missing: list[str] = []

    def load(seam: str, driver: Driver | None, **extra: Any) -> Any:
        if driver is None:
            return None
        try:
            return load_driver(seam, driver.driver, {**driver.options, **extra}, allow_simulated=allow_simulated)
        except (HalError, ImportError, OSError, TypeError, ValueError) as error:
            missing.append(f"{seam} {driver.driver}: {error}")
            log.error("%s", missing[-1])
            return None

    clock: Clock = load("clock", settings.clock) or SystemClock()
    pins = load("pins", settings.pins)
    return Hardware(
        clock=clock,
        storage=DirectoryStorage(Path(settings.spool)),
        camera=load("camera", settings.camera),
        microphone=load("microphone", settings.microphone),
        gps=load("gps", settings.gps),
        switches=load("switches", settings.switches, pin_factory=pins),
        indicators=load("indicators", settings.indicators, pin_factory=pins),
        battery=load("battery", settings.battery),
        motion=load("motion", settings.motion),
        thermal=load("thermal", settings.thermal),
        missing=missing,
    )

"""Load and hold this camera's drivers. What cannot be loaded is missing and said, never a reason not to record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from device.config import CameraChannel, DeviceSettings, Driver
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


@dataclass(frozen=True, slots=True)
class Channel:
    """One more camera of a vehicle."""

    camera: Camera | None
    microphone: Microphone | None


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
    channels: dict[str, Channel] = field(default_factory=dict)
    """A vehicle's cameras besides the first, by name."""
    missing: list[str] = field(default_factory=list)
    overruled: list[Overruled] = field(default_factory=list)
    """Where the signed profile and device.toml name different drivers."""

    @property
    def all_cameras(self) -> tuple[Camera, ...]:
        """Every camera that could be loaded, the first one first."""
        every = (self.camera, *(one.camera for one in self.channels.values()))
        return tuple(one for one in every if one is not None)


def channel_drivers(settings: DeviceSettings) -> list[tuple[str, Driver]]:
    """Seam and driver of all that a vehicle's other cameras are made of."""
    found: list[tuple[str, Driver]] = []
    for channel in settings.cameras.values():
        found.append(("camera", Driver(driver=channel.driver, options=channel.options)))
        if channel.microphone is not None:
            found.append(("microphone", channel.microphone))
    return found


def simulated_drivers(settings: DeviceSettings) -> list[str]:
    """Names of the configured drivers that come out of the simulator. Unknown names are not among them."""
    found: list[str] = []
    signer = [("signer", settings.keys.signer)] if settings.keys.signer is not None else []
    for seam, driver in [*configured(settings).items(), *channel_drivers(settings), *signer]:
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
        return None if driver is None else load_one(seam, driver, seam, **extra)

    def load_one(seam: str, driver: Driver, called: str, **extra: Any) -> Any:
        try:
            return load_driver(seam, driver.driver, {**driver.options, **extra}, allow_simulated=allow_simulated)
        except (HalError, ImportError, OSError, TypeError, ValueError) as error:
            missing.append(f"{called} {driver.driver}: {error}")
            log.error("%s", missing[-1])
            return None

    def load_channel(name: str, one: CameraChannel) -> Channel:
        camera = load_one("camera", Driver(driver=one.driver, options=one.options), f"camera {name}")
        sound = one.microphone
        return Channel(camera, None if sound is None else load_one("microphone", sound, f"microphone {name}"))

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
        channels={name: load_channel(name, one) for name, one in settings.cameras.items()},
        missing=missing,
        overruled=overruled,
    )

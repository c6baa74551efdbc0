"""Which drivers this camera runs: what the signed profile names rules over `device.toml` (R7, invariant 11).

1. A seam that the profile names gets the profile's driver. If device.toml names another, that is said and logged, and
   its options are left out: they were written for the other driver.
2. A driver that is not installed, or is the simulator's on a real camera, cannot be run: then device.toml's own is,
   which is said and logged. A camera that records with the wrong driver is told; one that does not record is lost.
3. A seam that the profile does not name is device.toml's choice.

What really ran stands in the signed `open` of each recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from device.config import DeviceSettings, Driver
from device.part import Part


@dataclass(frozen=True, slots=True)
class Overruled:
    """One seam where profile and device.toml do not agree."""

    seam: str
    sentence: str


def configured(settings: DeviceSettings) -> dict[str, Driver]:
    """The drivers of device.toml by seam."""
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


def choose(
    own: Mapping[str, Driver], wanted: Mapping[str, str], fault: Callable[[str, str], str | None]
) -> tuple[dict[str, Driver], list[Overruled]]:
    """The drivers to run by seam, and what was not as somebody said. Pure.

    `wanted` is the profile's choice. `fault(seam, name)` says why a driver cannot be run here, or None.
    """
    chosen, overruled = dict(own), []
    for seam, name in sorted(wanted.items()):
        mine = own.get(seam)
        if mine is not None and mine.driver == name:
            continue
        why = fault(seam, name)
        there = f"device.toml has {mine.driver!r}" if mine is not None else "device.toml has none"
        if why is not None:
            overruled.append(Overruled(seam, f"the profile's {seam} driver {name!r} is not used ({there}): {why}"))
            continue
        chosen[seam] = Driver(driver=name)
        overruled.append(Overruled(seam, f"the profile's {seam} driver {name!r} is used: {there}"))
    return chosen, overruled


class DriverChoice(Part):
    """Puts each disagreement into the device log."""

    name = "driver_choice"

    def begin(self) -> None:
        for one in self.daemon.hardware.overruled:
            self.daemon.log("driver_overruled", word=one.seam, details={"text": one.sentence[:500]})

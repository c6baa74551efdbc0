"""How the world of a scenario is set up before it begins: camera, receiver, clock, battery, officer, dock. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from device.config import Input
from evidence.statements import Word


class SetUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: an unknown key is a mistake."""


class Picture(SetUp, frozen=True, kw_only=True):
    """``[camera]``: what the generated camera delivers. Ranges are those of the driver."""

    width: Annotated[int, Meta(ge=128, le=1920)] = 640
    """Pixels of a line."""
    height: Annotated[int, Meta(ge=96, le=1080)] = 360
    """Lines of a picture."""
    frame_rate: Annotated[int, Meta(ge=1, le=60)] = 30
    """Pictures a second."""
    bitrate: Annotated[int, Meta(ge=20_000, le=50_000_000)] = 400_000
    """Bits per second of the generated picture."""
    clip_bitrate: Annotated[int, Meta(ge=20_000, le=50_000_000)] = 800_000
    """Bits per second with --clip."""


class Gps(SetUp, frozen=True, kw_only=True):
    """``[gps]``: the receiver at the beginning."""

    fix: bool = True
    """`false`: no position until `find gps`."""
    route: Annotated[str, Meta(max_length=500)] = ""
    """A GPX file, its path seen from the scenario's folder; without one, a drive around a few blocks."""
    speed_kmh: Annotated[int, Meta(ge=1, le=300)] | None = None
    """Drives at that speed from the beginning."""


class Clock(SetUp, frozen=True, kw_only=True):
    """``[clock]``: what the camera believes about the time when it is switched on."""

    start: Annotated[str, Meta(pattern=r"^(right|unset|1970|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)\Z")] = "right"
    """`right`, `1970` (the clock's battery is dead), `unset` (nobody vouches for it), or a time such as
    `2031-05-01T12:00:00Z`."""


class Battery(SetUp, frozen=True, kw_only=True):
    """``[battery]``: the cell at the beginning."""

    percent: Annotated[int, Meta(ge=0, le=100)] = 87
    """State of charge."""
    health_percent: Annotated[int, Meta(ge=10, le=110)] = 97
    """What an aged cell still holds, in percent of its design."""
    celsius: Annotated[int, Meta(ge=-40, le=80)] = 24
    """Its temperature."""


class Dock(SetUp, frozen=True, kw_only=True):
    """``[dock]``: where the camera is at the beginning."""

    docked: bool = False
    """`true`: it stands in the dock."""


class Officer(SetUp, frozen=True, kw_only=True):
    """``[officer]``: who signs in with `officer signs in`."""

    number: Annotated[str, Meta(min_length=1, max_length=32)] = "4711"
    """Personnel number."""
    name: Annotated[str, Meta(min_length=1, max_length=64)] = "P. Rivera"
    """As evidence names the officer."""
    badge: Annotated[str, Meta(min_length=1, max_length=32)] = "B-4711"
    """Badge number."""
    vehicle: Annotated[str, Meta(min_length=1, max_length=32)] = "CAR-12"
    """The car of the shift."""
    shift: Annotated[str, Meta(min_length=1, max_length=32)] = "evening-1"
    """The shift's name."""
    training_valid_until: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}\Z")] = "2099-12-31"
    """Last day of the training's validity (R32)."""

    @property
    def fields(self) -> dict[str, str]:
        """As the desk's signed command has them."""
        named = {name: getattr(self, name) for name in ("name", "badge", "vehicle", "shift", "training_valid_until")}
        return {"officer": self.number, "identified_by": "pin", **named}


class Vehicle(SetUp, frozen=True, kw_only=True):
    """``[vehicle]``: whether the camera is built into a car."""

    dash: bool = False
    """`true`: a dash camera, which the ignition keeps up (R17); else a body-worn one."""


class StationSetUp(SetUp, frozen=True, kw_only=True):
    """``[station]``: the docking station."""

    reserve_mib: Annotated[int, Meta(ge=0, le=1048576)] = 64
    """The station takes nothing more when less than that is free, MiB."""


class ScenarioText(SetUp, frozen=True, kw_only=True):
    """A whole scenario file."""

    title: Annotated[str, Meta(min_length=1, max_length=100)]
    """One line that says what it is about."""
    about: Annotated[str, Meta(max_length=1000)] = ""
    """More, for the reader."""
    profile: dict[str, Any] = msgspec.field(default_factory=dict)
    """What differs from the default policy."""
    camera: Picture = Picture()
    cameras: dict[Annotated[str, Meta(pattern=r"^(cabin|rear|left|right)\Z")], Picture] = msgspec.field(
        default_factory=dict
    )
    """More cameras of a vehicle, `[cameras.rear]` say: each records a file of its own, together with the first one."""
    gps: Gps = Gps()
    clock: Clock = Clock()
    battery: Battery = Battery()
    dock: Dock = Dock()
    officer: Officer = Officer()
    station: StationSetUp = StationSetUp()
    vehicle: Vehicle = Vehicle()
    inputs: Annotated[dict[Word, Input], Meta(max_length=16)] = msgspec.field(default_factory=dict)
    """Further inputs of the camera, as in `device.toml`: triggers that come as messages (`source = "message"`)."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    """Another town, other noise; `--seed` rules over it."""
    script: Annotated[str, Meta(max_length=200_000)] = ""
    """The sentences."""
    step: Annotated[list[dict[str, Any]], Meta(max_length=1000)] = msgspec.field(default_factory=list)
    """The other form: a list of steps."""

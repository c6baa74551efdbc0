"""station.toml, table of the desk: what is handed out to people and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dock.config_base import Table

NtpServer = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z")]


class DeskSettings(Table, frozen=True, kw_only=True):
    """Checkout, holds and what a docked camera is handed. Without this table the station only takes in."""

    command_certificate: Path
    """PEM chain of the command role (power `assign`): assignments and holds are signed with it."""
    command_key: Path
    """PEM private key of it, mode 0600."""
    training: Literal["warn", "refuse"] = "refuse"
    """What checkout does for an officer whose training is over or not known (R32)."""
    shift_h: Annotated[float, Meta(gt=0, le=24)] = 10.0
    """Hours of a shift, unless checkout is told another number: the charge must last that long (R8)."""
    charged_percent: Annotated[int, Meta(ge=1, le=100)] = 90
    """Least charge of a camera that cannot predict how long it lasts."""
    pickup_minutes: Annotated[int, Meta(ge=1, le=240)] = 15
    """How long a checked-out camera waits for its assignment to reach it; then it is free again."""
    profile: Path | None = None
    """The signed policy profile; a docked camera with an older version is handed this one (R7)."""
    updates: Path | None = None
    """Directory of a signed release: ``release.p7s`` and the bundle that it names."""
    ntp_servers: Annotated[tuple[NtpServer, ...], Meta(max_length=8)] = ()
    """Where cameras and this station get the time; empty: cameras ask this station, which has the machine's own."""
    clock_alarm_ms: Annotated[int, Meta(ge=10, le=86_400_000)] = 2000
    """A camera whose clock is off by more than this, beyond the uncertainty of the measurement, is an alarm."""

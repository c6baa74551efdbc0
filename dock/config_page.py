"""station.toml, table of the dock page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from dock.config_base import Port, Table, Text


class PageSettings(Table, frozen=True, kw_only=True):
    """The dock page, on a port of its own: people log in with a password, not with a certificate."""

    listen_host: Text = "127.0.0.1"
    """Address to listen on; set it to let others than this machine in."""
    listen_port: Port = 8444
    """Port to listen on; 0 takes a free one, and the page's ready line says which."""
    certificate: Path
    """PEM chain that browsers are shown."""
    key: Path
    """PEM private key of it."""
    session_minutes: Annotated[int, Meta(ge=1, le=1440)] = 30
    """A session without a click ends after this time."""
    session_hours: Annotated[int, Meta(ge=1, le=24)] = 12
    """A session ends after this time in any case."""
    wall: bool = False
    """Show the bays, without names of officers, at `/wall` to whoever reaches the port: for a screen on the wall."""
    bays: Annotated[dict[Text, Text], Meta(max_length=1024)] = msgspec.field(default_factory=dict)
    """What the bays are called, by the fixed network address of each; an empty bay is then shown too."""
    live_streams: Annotated[int, Meta(ge=1, le=512)] = 64
    """Screens that are kept up to date at the same time; further ones must be loaded anew."""

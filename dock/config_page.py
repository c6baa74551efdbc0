"""station.toml, table of the dock page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dock.config_base import Port, Table, Text


class PageSettings(Table, frozen=True, kw_only=True):
    """The dock page, on a port of its own: people log in with a password, not with a certificate."""

    listen_host: Text = "127.0.0.1"
    """Address to listen on; set it to let others than this machine in."""
    listen_port: Port = 8444
    """Port to listen on; 0 takes a free one, and the ready line says which."""
    certificate: Path
    """PEM chain that browsers are shown."""
    key: Path
    """PEM private key of it."""
    session_minutes: Annotated[int, Meta(ge=1, le=1440)] = 30
    """A session without a click ends after this time."""

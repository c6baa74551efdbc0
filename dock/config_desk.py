"""station.toml, table of the desk: what is handed out to people and cameras."""

from __future__ import annotations

from pathlib import Path

from dock.config_base import Table


class DeskSettings(Table, frozen=True, kw_only=True):
    """Checkout, holds and what a docked camera is handed. Without this table the station only takes in."""

    command_certificate: Path
    """PEM chain of the command role (power `assign`): assignments and holds are signed with it."""
    command_key: Path
    """PEM private key of it, mode 0600."""

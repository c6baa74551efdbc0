"""agent.toml, table of a target other than the station."""

from __future__ import annotations

from typing import Literal

from dock.config_base import Table, Text
from evidence.statements import Name


class Target(Table, frozen=True, kw_only=True):
    """Where the bytes go, if not to the station itself. Receipts come from the station in any case."""

    kind: Literal["tus", "s3"]
    """A foreign tus 1.0 server, or a bucket."""
    url: Text
    """The tus server's creation address, or the bucket's endpoint."""
    name: Name
    """How the station calls this store (`foreign` in station.toml)."""

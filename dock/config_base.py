"""What all tables of station.toml and agent.toml are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class Tls(Table, frozen=True, kw_only=True):
    """Who we are in TLS, and whom we believe. There is no other trust: the system's authorities are not consulted."""

    certificate: Path
    """PEM chain, leaf first."""
    key: Path
    """PEM private key, readable by its owner only."""
    ca: Path
    """PEM of the authorities that the other side's certificate must come from."""

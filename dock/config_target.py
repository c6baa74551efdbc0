"""agent.toml, table of a target other than the station."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from dock.config_base import Table, Text
from evidence.statements import Name

LOOPBACK = "127.0.0.1"


class Target(Table, frozen=True, kw_only=True):
    """Where the bytes go, if not to the station itself. Receipts come from the station in any case."""

    kind: Literal["tus", "s3"]
    """A foreign tus 1.0 server, or a bucket."""
    url: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,253}(/[A-Za-z0-9._~/{}-]{0,512})?\Z")]
    """The tus server's creation address (``{serial}`` and ``{name}`` in it are filled in), or the bucket's endpoint
    without a path. ``http`` only to 127.0.0.1."""
    name: Name
    """How the station calls this store (`foreign` in station.toml)."""
    credentials: Path | None = None
    """A file of mode 0600. For `s3` two lines: the access key's id, and its secret. For `tus` one line: ``bearer
    TOKEN`` or ``basic USER PASSWORD``; without the key nothing is sent."""
    ca: Path | None = None
    """PEM of the authorities that the server's certificate must come from; there is no other trust. Needed for
    ``https``."""
    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")] | None = None
    """For `s3`: the bucket. Addresses are in path style, ``URL/BUCKET/PREFIXSERIAL/NAME``."""
    prefix: Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]{1,64}/){0,4}\Z")] = ""
    """For `s3`: put before ``SERIAL/NAME``, with a slash at its end."""
    region: Text = "us-east-1"
    """For `s3`: the region that requests are signed for."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname != LOOPBACK:
            raise ValueError(f"url: plain http is for {LOOPBACK} only; give an https address")
        if parts.scheme == "https" and self.ca is None:
            raise ValueError("ca: an https target needs the PEM of its authority")
        if self.kind == "s3" and (self.bucket is None or self.credentials is None or parts.path not in {"", "/"}):
            raise ValueError("kind s3 needs bucket and credentials, and a url without a path")
        if self.kind == "tus" and not parts.path:
            raise ValueError("url: a tus server has a path for creation, such as /files")

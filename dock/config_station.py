"""station.toml: what the docking station is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from dock.config_base import Port, Table, Text, Tls
from dock.config_broker import BrokerSettings
from dock.config_desk import DeskSettings
from dock.config_page import PageSettings
from dock.config_store import Archive, Foreign, StoreSettings
from evidence.statements import Count, Name, Word


class Receipts(Table, frozen=True, kw_only=True):
    """The station's signing key for receipts and greetings."""

    certificate: Path
    """PEM chain of the receipt role, leaf first, without the root."""
    key: Text
    """PEM private key, mode 0600; or ``pkcs11:token=…;object=…?module-path=…&pin-source=…`` (RFC 7512)."""


class Timestamps(Table, frozen=True, kw_only=True):
    """An RFC 3161 timestamp authority, which vouches "not later than". Without this table none is asked."""

    url: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,253}(/[!-~]{0,1024})?\Z")]
    """Where requests are posted, e.g. ``http://tsa.example.org/tsr``. Only hashes go there."""
    root: Path | None = None
    """PEM of the authority's root: tokens that do not hold under it are not kept. Without it they are kept unjudged."""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds without an answer after which a request is given up."""
    retry_max_s: Annotated[float, Meta(gt=0, le=86400)] = 900.0
    """Longest wait before an authority that was down is asked again."""


class StationLimits(Table, frozen=True, kw_only=True):
    """What the station takes at most."""

    file_bytes: Annotated[int, Meta(ge=1, le=2**40)] = 64 * 2**30
    """Largest evidence file; larger is refused with 413. Default 64 GiB."""
    chunk_bytes: Annotated[int, Meta(ge=2**16, le=2**28)] = 8 * 2**20
    """Largest PATCH that carries a checksum: it is held in memory until it is checked. Default 8 MiB."""
    reserve_bytes: Count = 256 * 2**20
    """Free space that uploads must leave; below it the answer is 507. It is room for the papers of some ten thousand
    files: receipts, ledger, records of uploads. Default 256 MiB."""
    chunks_at_once: Annotated[int, Meta(ge=1, le=256)] = 8
    """PATCHes in work at the same time; the others wait, then get 503. Bounds memory with `chunk_bytes`."""
    idle_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds without a byte after which a request is given up."""


class StationConfig(Table, frozen=True, kw_only=True):
    """station.toml"""

    system_id: Name
    """Whose evidence this is. A camera refuses a station of another system before the first byte (R6)."""
    station: Name
    """This station's name, printed in receipts."""
    listen_host: Text = "0.0.0.0"  # noqa: S104 - a dock serves its bays; access is by client certificate
    """Address to listen on."""
    listen_port: Port = 8443
    """Port to listen on; 0 takes a free one, and the ready line says which."""
    directory: Path
    """Holds incoming/, store/, quarantine/, custody/, witness/ and contacts/, on one file system."""
    root: Path
    """PEM of the agency's root, under which evidence must verify."""
    clock_uncertainty_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 1000
    """How far this machine's clock may be off; told to the cameras (invariant 10)."""
    tls: Tls
    receipts: Receipts
    limits: StationLimits = StationLimits()
    timestamps: Timestamps | None = None
    store: StoreSettings = StoreSettings()
    archive: Archive | None = None
    foreign: tuple[Foreign, ...] = ()
    retention_days: dict[Word, Count] = msgspec.field(default_factory=dict)
    """Days to keep by the signed `retention_class`; put into receipts and enforced by object lock (R42)."""
    revocation_lists: tuple[Path, ...] = ()
    """Files of revocation lists (PEM or DER), read again when they change: a revoked camera comes to quarantine."""
    reconcile_hour_utc: Annotated[int, Meta(ge=0, le=23)] = 3
    """At which hour the logs of all cameras are held against the store, each day (R38)."""
    desk: DeskSettings | None = None
    page: PageSettings | None = None
    broker: BrokerSettings | None = None

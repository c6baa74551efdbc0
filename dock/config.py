"""Configuration of station and agent: TOML into frozen structures, an unknown key is an error with the nearest match.

Every key is documented where it is declared; paths are relative to the configuration file's own directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from dock.errors import BadConfig
from evidence.settings import BadSettings, load_toml
from evidence.statements import Count, Name

_Text = Annotated[str, Meta(min_length=1, max_length=1024)]
_Port = Annotated[int, Meta(ge=0, le=65535)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class Tls(_Table, frozen=True, kw_only=True):
    """Who we are in TLS, and whom we believe. There is no other trust: the system's authorities are not consulted."""

    certificate: Path
    """PEM chain, leaf first."""
    key: Path
    """PEM private key, readable by its owner only."""
    ca: Path
    """PEM of the authorities that the other side's certificate must come from."""


class Receipts(_Table, frozen=True, kw_only=True):
    """The station's signing key for receipts and greetings."""

    certificate: Path
    """PEM chain of the receipt role, leaf first, without the root."""
    key: Path
    """PEM private key, mode 0600."""


class Timestamps(_Table, frozen=True, kw_only=True):
    """An RFC 3161 timestamp authority, which vouches "not later than". Without this table none is asked."""

    url: Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,253}(/[!-~]{0,1024})?\Z")]
    """Where requests are posted, e.g. ``http://tsa.example.org/tsr``. Only hashes go there."""
    root: Path | None = None
    """PEM of the authority's root: tokens that do not hold under it are not kept. Without it they are kept unjudged."""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds without an answer after which a request is given up."""
    retry_max_s: Annotated[float, Meta(gt=0, le=86400)] = 900.0
    """Longest wait before an authority that was down is asked again."""


class StationLimits(_Table, frozen=True, kw_only=True):
    """What the station takes at most."""

    file_bytes: Annotated[int, Meta(ge=1, le=2**40)] = 64 * 2**30
    """Largest evidence file; larger is refused with 413. Default 64 GiB."""
    chunk_bytes: Annotated[int, Meta(ge=2**16, le=2**28)] = 8 * 2**20
    """Largest PATCH that carries a checksum: it is held in memory until it is checked. Default 8 MiB."""
    reserve_bytes: Count = 2**30
    """Free space that uploads must leave; below it the answer is 507. Default 1 GiB."""
    chunks_at_once: Annotated[int, Meta(ge=1, le=256)] = 8
    """PATCHes in work at the same time; the others wait, then get 503. Bounds memory with `chunk_bytes`."""
    idle_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds without a byte after which a request is given up."""


class StationConfig(_Table, frozen=True, kw_only=True):
    """station.toml"""

    system_id: Name
    """Whose evidence this is. A camera refuses a station of another system before the first byte (R6)."""
    station: Name
    """This station's name, printed in receipts."""
    listen_host: _Text = "0.0.0.0"  # noqa: S104 - a dock serves its bays; access is by client certificate
    """Address to listen on."""
    listen_port: _Port = 8443
    """Port to listen on; 0 takes a free one, and the ready line says which."""
    directory: Path
    """Holds incoming/, store/, witness/ and contacts/, on one file system."""
    root: Path
    """PEM of the agency's root, under which evidence must verify."""
    clock_uncertainty_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 1000
    """How far this machine's clock may be off; told to the cameras (invariant 10)."""
    tls: Tls
    receipts: Receipts
    limits: StationLimits = StationLimits()
    timestamps: Timestamps | None = None


class StationAddress(_Table, frozen=True, kw_only=True):
    """Which station, and whose."""

    url: Annotated[str, Meta(pattern=r"^https://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]
    """``https://HOST:PORT``, nothing after it."""
    system_id: Name
    """Must equal the station's own, which its signed greeting carries."""


class Offload(_Table, frozen=True, kw_only=True):
    """How to upload."""

    chunk_bytes: Annotated[int, Meta(ge=1024, le=2**26)] = 4 * 2**20
    """Bytes per PATCH. Undocking stops at the next chunk. Default 4 MiB."""
    poll_s: Annotated[float, Meta(ge=0.05, le=3600)] = 5.0
    """Seconds between looks at the recorder's status and spool; events of the recorder come at once."""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds without an answer after which a connection is given up."""
    backoff_first_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """First wait after a failure; doubled each time, with jitter."""
    backoff_max_s: Annotated[float, Meta(gt=0, le=86400)] = 300.0
    """Longest wait after failures."""
    receipt_wait_s: Annotated[float, Meta(gt=0, le=3600)] = 120.0
    """How long to ask for a receipt before the file is put back in the queue."""


class Telemetry(_Table, frozen=True, kw_only=True):
    """The broker. Without this table telemetry is off."""

    host: _Text
    """Broker's host name, as in its certificate."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    """Broker's TLS port."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    """MQTT keep-alive; after 1.5 of it without a word the broker publishes our last will."""
    state_s: Annotated[float, Meta(ge=0.1, le=86400)] = 300.0
    """The state is published when it changes, and at least this often, in seconds."""
    outbox_rows: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    """Most rows kept while there is no broker. Full: answers go first, then states, then the oldest events."""
    backoff_max_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Longest wait between attempts to connect, in seconds."""


class Peers(_Table, frozen=True, kw_only=True):
    """Starts of several cameras as one incident (R23), through the broker of `[telemetry]`."""

    send: bool = True
    """Pass this camera's signed announcements of its starts on to its peers."""
    receive: bool = True
    """Pass peers' announcements on to the recorder, which checks them and follows its own policy."""


class AgentConfig(_Table, frozen=True, kw_only=True):
    """agent.toml"""

    recorder_socket: Path
    """Unix socket of the recorder (firsthand-device)."""
    state_directory: Path
    """The agent's own: upload URLs and the telemetry outbox. Never the spool."""
    root: Path
    """PEM of the agency's root, under which greetings and receipts must be signed."""
    station: StationAddress
    tls: Tls
    offload: Offload = Offload()
    telemetry: Telemetry | None = None
    peers: Peers = Peers()


_T = TypeVar("_T", bound=_Table)


def load_station(path: Path) -> StationConfig:
    """Read station.toml. Raises `BadConfig` with one sentence."""
    return _load(path, StationConfig)


def load_agent(path: Path) -> AgentConfig:
    """Read agent.toml. Raises `BadConfig` with one sentence."""
    return _load(path, AgentConfig)


def _load(path: Path, kind: type[_T]) -> _T:
    try:
        return load_toml(path, kind)
    except BadSettings as error:
        raise BadConfig(str(error)) from error

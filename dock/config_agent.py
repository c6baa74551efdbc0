"""agent.toml: what the agent on the camera is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dock.config_base import Table, Tls
from dock.config_mqtt import Peers, Telemetry
from dock.config_target import Target
from evidence.statements import Name


class StationAddress(Table, frozen=True, kw_only=True):
    """Which station, and whose."""

    url: Annotated[str, Meta(pattern=r"^https://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]
    """``https://HOST:PORT``, nothing after it."""
    system_id: Name
    """Must equal the station's own, which its signed greeting carries."""


class Offload(Table, frozen=True, kw_only=True):
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


class AgentConfig(Table, frozen=True, kw_only=True):
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
    target: Target | None = None
    telemetry: Telemetry | None = None
    peers: Peers = Peers()

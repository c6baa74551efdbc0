"""agent.toml: what the agent on the camera is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dock.config_away import Away, Interfaces, Kbit
from dock.config_base import Table, Tls
from dock.config_mqtt import Peers, Telemetry
from dock.config_target import Target
from evidence.statements import Name

Url = Annotated[str, Meta(pattern=r"^https://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]
Window = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class StationAddress(Table, frozen=True, kw_only=True):
    """Which station, and whose."""

    url: Url
    """``https://HOST:PORT``, nothing after it: a fixed address or a DNS name, which the certificate must carry."""
    fallback_urls: Annotated[tuple[Url, ...], Meta(max_length=8)] = ()
    """Other stations of the same system, tried in this order while the ones before are away, full or not to be
    trusted."""
    system_id: Name
    """Must equal the station's own, which its signed greeting carries."""


class Offload(Table, frozen=True, kw_only=True):
    """How to upload."""

    chunk_bytes: Annotated[int, Meta(ge=1024, le=2**26)] = 2**22
    """Bytes per PATCH, which are sent again if it is cut off. Undocking and recordings cut it off at once. Default
    4 MiB; a foreign target gets at most 1 MiB at a time, which is held in memory."""
    at_once: Annotated[int, Meta(ge=1, le=8)] = 2
    """Files uploaded at the same time, each over a connection of its own."""
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
    full_wait_s: Annotated[float, Meta(ge=0, le=86400)] = 300.0
    """Least wait after a station said that it is full (507), in seconds."""
    ask_again_s: Annotated[float, Meta(gt=0, le=2_592_000)] = 86400.0
    """After this time the station is asked again about a file that it can never store (400), or found not valid."""
    kbit_s: Kbit | None = None
    """Most kilobits of evidence in a second; absent: as fast as the link."""
    windows: Annotated[tuple[Window, ...], Meta(max_length=8)] = ()
    """Only within these times of the day: ``["22:00-06:00"]``. Empty: always."""
    windows_clock: Literal["local", "utc"] = "local"
    """By which clock: the camera's local time (its time zone), or UTC."""
    windows_at_dock: bool = False
    """Whether the windows hold in the dock too; they always hold away from it."""
    windows_spare_critical: bool = True
    """Files of the class `critical` go at any time."""
    dock_interfaces: Annotated[Interfaces, Meta(max_length=8)] = ()
    """With a cable in one of these interfaces the camera counts as docked, as it does when the recorder says so."""
    away: Away | None = None
    """What is uploaded away from the dock; absent: nothing."""


class UpdateSettings(Table, frozen=True, kw_only=True):
    """Updates of the camera's software, which a station offers to a docked camera with nothing left to upload."""

    reserve_mib: Annotated[int, Meta(ge=0, le=2**20)] = 2048
    """Free room that a download must leave on the card, in MiB: recordings need it."""
    install: Path | None = None
    """A program that installs a bundle: it is called with the bundle's and the manifest's path, may be ended at any
    moment by SIGTERM, and must leave the camera able to start. Without it a bundle is only made ready (staged)."""
    outcome: Path | None = None
    """The file in which the system says what became of updates: installed, confirmed, or gone back from. Without it an
    installed update is told to the station, and nothing after that."""
    install_s: Annotated[float, Meta(gt=0, le=7200)] = 1800.0
    """Longest time that it may take."""


class AgentConfig(Table, frozen=True, kw_only=True):
    """agent.toml"""

    recorder_socket: Path
    """Unix socket of the recorder (firsthand-device)."""
    state_directory: Path
    """The agent's own: upload URLs and the telemetry outbox. Never the spool."""
    root: Path
    """PEM of the agency's root, under which greetings and receipts must be signed."""
    revocation_lists: tuple[Path, ...] = ()
    """Files of revocation lists (PEM or DER): a station in one of them gets no byte, and its receipts do not count."""
    station: StationAddress
    tls: Tls
    offload: Offload = Offload()
    target: Target | None = None
    telemetry: Telemetry | None = None
    peers: Peers = Peers()
    updates: UpdateSettings = UpdateSettings()

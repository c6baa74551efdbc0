"""The station as a process: uvicorn behind mutual TLS 1.3, one station for each directory."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dock.config import StationConfig
from dock.errors import BadConfig, StationLocked
from dock.notify import notify
from dock.station.app import build_app
from dock.station.contacts import ContactBook
from dock.station.desk import Desk
from dock.station.intake import Intake
from dock.station.store import DirectoryStore, Store
from dock.station.timestamps import Timestamping, over_http
from dock.station.witness import WitnessBook
from dock.tls import peer_of, server_context
from evidence.keys import FileSigner
from evidence.roles import role_of
from evidence.timestamp import TimestampTrust
from evidence.trust import Trust
from evidence.verify import StreamVerifier

log = logging.getLogger(__name__)


class CertificateProtocol(HttpToolsProtocol):
    """uvicorn does not tell the application who its peer is: put it into the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        tls = transport.get_extra_info("ssl_object")
        peer = peer_of(tls.getpeercert(binary_form=True)) if tls is not None else None
        self.app_state = {**self.app_state, "peer": peer}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Says when it is ready, on which port."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours: uvicorn's would raise the signal again at the end, and kill us before we have stopped cleanly."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        yield

    def _leave(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)
            notify("READY=1")


async def run_station(config: StationConfig) -> None:
    """Serve until SIGTERM or SIGINT. Raises `BadConfig`, `StationLocked`, `evidence.errors.BadKey`, OSError."""
    signer = FileSigner.load(config.receipts.key, config.receipts.certificate)
    if role_of(signer.certificate) != "receipt":
        raise BadConfig(f"receipts.certificate {config.receipts.certificate} does not have the receipt role")
    trust = Trust.load(config.root)
    context = server_context(config.tls)
    config.directory.mkdir(parents=True, exist_ok=True)
    with _alone(config.directory):
        desk = Desk(
            system_id=config.system_id,
            station=config.station,
            signer=signer,
            witnesses=WitnessBook(config.directory / "witness"),
            clock_uncertainty_ms=config.clock_uncertainty_ms,
            contacts=ContactBook(config.directory / "contacts"),
        )
        store = DirectoryStore(config.directory / "store", config.station)
        intake = Intake(
            config.directory / "incoming",
            store,
            desk,
            lambda name: StreamVerifier(trust, name),
            reserve_bytes=config.limits.reserve_bytes,
        )
        timestamping = _timestamping(config, store)
        if timestamping is not None:
            intake.on_receipt = timestamping.wake
        await intake.start()
        stamping = asyncio.create_task(timestamping.run()) if timestamping is not None else None
        try:
            with _listen(config) as listener:
                port = listener.getsockname()[1]
                server = _Server(
                    uvicorn.Config(
                        build_app(desk, intake, config.limits),
                        http=CertificateProtocol,
                        ws="none",
                        lifespan="off",
                        ssl_context_factory=lambda *_: context,
                        log_config=None,
                        access_log=False,
                        server_header=False,
                        limit_concurrency=1024,
                        timeout_keep_alive=75,
                        timeout_graceful_shutdown=10,
                    ),
                    f"firsthand-dock station ready: https://{config.listen_host}:{port} ({config.station}, "
                    f"system {config.system_id})",
                )
                await server.serve(sockets=[listener])
        finally:
            notify("STOPPING=1")
            if stamping is not None:
                stamping.cancel()
                await asyncio.gather(stamping, return_exceptions=True)
            await intake.stop()


def _timestamping(config: StationConfig, store: Store) -> Timestamping | None:
    """Raises `evidence.errors.BadKey` for an authority's root that cannot be used, or without rfc3161-client."""
    chosen = config.timestamps
    if chosen is None:
        return None
    trust = TimestampTrust.load(chosen.root) if chosen.root is not None else None
    return Timestamping(store, over_http(chosen.url, chosen.timeout_s), trust=trust, retry_max_s=chosen.retry_max_s)


def _listen(config: StationConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.listen_host, config.listen_port))
    except OSError as error:
        listener.close()
        where = f"listen_host {config.listen_host} and listen_port {config.listen_port}"
        raise BadConfig(f"cannot listen on {where}: {error.strerror}") from error
    return listener


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process for each directory, or names could be taken twice. Raises `StationLocked`."""
    descriptor = os.open(directory / "station.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StationLocked(f"another station works in {directory}: stop it first") from error
        yield
    finally:
        os.close(descriptor)

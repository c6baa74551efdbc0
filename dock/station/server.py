"""The station as a process: uvicorn behind mutual TLS 1.3, one station for each directory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dock.config import StationConfig
from dock.notify import keep_alive, notify
from dock.station.app import build_app
from dock.station.custody_steps import CustodySteps
from dock.station.listening import listen
from dock.station.opening import open_station
from dock.station.part import StationPart
from dock.station.station import Station
from dock.station.store import Store
from dock.station.timestamps import Timestamping, over_http
from dock.tls import peer_of, refuse_open_key, server_context
from evidence.timestamp import TimestampTrust

log = logging.getLogger(__name__)
Around = Callable[[ASGIApp, Station], ASGIApp]


class CertificateProtocol(HttpToolsProtocol):
    """uvicorn does not tell the application who its peer is: put it into the state of each request."""

    head_s = 30.0
    """Seconds within which the head of a request is there."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        tls = transport.get_extra_info("ssl_object")
        peer = peer_of(tls.getpeercert(binary_form=True)) if tls is not None else None
        self.app_state = {**self.app_state, "peer": peer}
        super().connection_made(transport)
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        """uvicorn waits for the head of a request for ever: who sends a byte now and then keeps a place from others."""
        self._head = self.loop.call_later(self.head_s, self.transport.close)

    def on_message_begin(self) -> None:
        """The next request begins (httptools)."""
        self._head.cancel()
        self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there (httptools)."""
        self._head.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends. A connection on which nothing is under way is dropped, not closed politely.

        Otherwise each camera's idle connection would keep the station for the whole grace time: its agent reads, and
        answers the TLS farewell, only when it asks the next question.
        """
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self.cycle.keep_alive = False


class _Server(uvicorn.Server):
    """Says when it is ready, on which port."""

    def __init__(self, config: uvicorn.Config, ready: str, on_leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._on_leave = on_leave

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours: uvicorn's would raise the signal again at the end, and kill us before we have stopped cleanly."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        yield

    def _leave(self) -> None:
        self.should_exit = True
        self._on_leave()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)
            notify("READY=1")


async def run_station(config: StationConfig, around: Around | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `DockError`, `evidence.errors.BadKey`, OSError.

    `around` may put another application in front of the station's own: one that measures, or limits, or judges what
    passes. It is given both, and returns what is served.
    """
    keys = {"tls.key": config.tls.key}
    keys |= {"page.key": config.page.key} if config.page is not None else {}
    keys |= {"broker.tls.key": config.broker.tls.key} if config.broker is not None else {}
    for setting, path in keys.items():
        refuse_open_key(path, setting)
    context = server_context(config.tls)
    async with at_work(config) as station:
        alive = asyncio.ensure_future(keep_alive())
        try:
            await _serve(station, context, around)
        finally:
            alive.cancel()
            notify("STOPPING=1")


@contextlib.asynccontextmanager
async def at_work(config: StationConfig) -> AsyncIterator[Station]:
    """A station whose parts work; nothing is served yet. Raises `DockError`, `evidence.errors.BadKey`, OSError."""
    with open_station(config) as station:
        timestamping = _timestamping(config, station.store)
        if timestamping is not None:
            station.intake.on_receipt = timestamping.wake
            timestamping.on_token = station.part(CustodySteps).token
        for part in station.parts:
            await part.begin()
        await station.intake.start()
        await station.quarantine.start()
        work = [asyncio.create_task(_keep_running(part)) for part in station.parts]
        if timestamping is not None:
            work.append(asyncio.create_task(timestamping.run()))
        try:
            yield station
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await station.intake.stop()
            await station.quarantine.stop()
            for part in station.parts:
                await part.end()


async def _keep_running(part: StationPart) -> None:
    try:
        await part.run()
    except Exception:
        log.critical("part %s has ended; evidence is taken in all the same", part.name, exc_info=True)
        raise


def app_of(station: Station, around: Around | None = None) -> ASGIApp:
    """What cameras may ask a station and its parts; `around` as for `run_station`."""
    more = [route for part in station.parts for route in part.routes()]
    app: ASGIApp = build_app(
        station.desk,
        station.intake,
        station.config.limits,
        more,
        quarantine=station.quarantine,
        lane_of=station.lanes.lane_of,
    )
    return app if around is None else around(app, station)


async def _serve(station: Station, context: ssl.SSLContext, around: Around | None) -> None:
    config = station.config
    with listen(config.listen_host, config.listen_port) as listener:
        port = listener.getsockname()[1]
        server = _Server(
            uvicorn.Config(
                app_of(station, around),
                http=type("StationProtocol", (CertificateProtocol,), {"head_s": config.limits.idle_s}),
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
            station.leave,
        )
        await server.serve(sockets=[listener])


def _timestamping(config: StationConfig, store: Store) -> Timestamping | None:
    """Raises `evidence.errors.BadKey` for an authority's root that cannot be used, or without rfc3161-client."""
    chosen = config.timestamps
    if chosen is None:
        return None
    trust = TimestampTrust.load(chosen.root) if chosen.root is not None else None
    return Timestamping(store, over_http(chosen.url, chosen.timeout_s), trust=trust, retry_max_s=chosen.retry_max_s)

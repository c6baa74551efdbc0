"""The dock page as a part of the station: a second TLS listener for browsers, in the station's own process (R33).

People have no client certificates; they log in. Nothing here plays or gives out evidence (R1), and whatever happens to
this listener, cameras are served by the other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.routing import BaseRoute, Route

from dock.config import PageSettings
from dock.errors import BadConfig
from dock.station.listening import listen
from dock.station.malfunctions import Malfunctions
from dock.station.page.alarm_page import AlarmPage, Alarms
from dock.station.page.app import build_page
from dock.station.page.assets import Assets
from dock.station.page.audit import Audit
from dock.station.page.audit_page import AuditPage
from dock.station.page.board_page import BoardPage
from dock.station.page.camera_page import CameraPage
from dock.station.page.checkout_page import CheckoutPage
from dock.station.page.live import LiveBoard
from dock.station.page.login import Login
from dock.station.page.malfunction_page import MalfunctionPage
from dock.station.page.patience import PatientProtocol
from dock.station.page.recording_page import RecordingPage
from dock.station.page.sessions import Sessions
from dock.station.page.templates import build_templates
from dock.station.page.visit import House
from dock.station.part import StationPart
from dock.station.people_audit import PeopleAudit
from hal import program_time

log = logging.getLogger(__name__)


class DockPage(StationPart):
    """Serves people if ``[page]`` stands in station.toml."""

    name = "page"
    _listener: socket.socket | None = None
    _audit: Audit | None = None

    async def begin(self) -> None:
        settings = self.station.config.page
        if settings is None:
            return
        self._context = _server_context(settings)
        self._listener = listen(settings.listen_host, settings.listen_port, table="page.")
        assets = Assets()
        templates = build_templates(
            assets, station_name=self.station.config.station, system_id=self.station.config.system_id
        )
        self._audit = Audit(self.station.config.directory / "audit.sqlite", self.station.custody)
        house = House(
            self.station,
            settings,
            self.station.part(PeopleAudit).people,
            Sessions(
                program_time.monotonic_s, idle_s=settings.session_minutes * 60, most_s=settings.session_hours * 3600
            ),
            self._audit,
            templates,
        )
        alarms, malfunctions = Alarms(self.station), self.station.part(Malfunctions).book
        house.counts = lambda: {"/malfunctions": malfunctions.count_open(), "/alarms": alarms.count()}
        self.board = LiveBoard(self.station, settings, templates)
        routes: list[BaseRoute] = [
            Route("/assets/{digest}/{name:path}", assets.serve, methods=["GET"]),
            *Login(house).routes(),
            *BoardPage(house, self.board).routes(),
            *CameraPage(house, self.board).routes(),
            *CheckoutPage(house, self.board).routes(),
            *RecordingPage(house).routes(),
            *MalfunctionPage(house).routes(),
            *AlarmPage(house, alarms).routes(),
            *AuditPage(house).routes(),
        ]
        routes += [route for part in self.station.parts for route in part.page_routes()]
        self._app = build_page(templates, routes)
        await self.board.begin()

    async def run(self) -> None:
        settings, listener = self.station.config.page, self._listener
        if settings is None or listener is None:
            return
        server = _Server(
            uvicorn.Config(
                self._app,
                http=PatientProtocol,
                ws="none",
                lifespan="off",
                ssl_context_factory=lambda *_: self._context,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=512,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=3,
            ),
            f"firsthand-dock page ready: https://{settings.listen_host}:{listener.getsockname()[1]} "
            f"({self.station.config.station})",
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        looking = asyncio.create_task(self.board.run())
        try:
            await asyncio.shield(serving)
        finally:
            self.board.close()
            looking.cancel()
            server.should_exit = True
            await asyncio.gather(serving, looking, return_exceptions=True)

    async def end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._audit is not None:
            self._audit.close()


class _Server(uvicorn.Server):
    """Leaves signals to the station, and says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)


def _server_context(settings: PageSettings) -> ssl.SSLContext:
    """TLS 1.3, as every browser since 2020 speaks; no client certificate. Raises `BadConfig`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(
            f"page.certificate {settings.certificate} and page.key {settings.key} cannot be used: {error}"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context

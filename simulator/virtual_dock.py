"""Agent and station in this process, on virtual time: the same programs, connected without sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import ASGIApp

from dock.agent.daemon import NoTelemetry, work_on
from dock.agent.ledger import open_ledger
from dock.config import load_agent, load_station
from dock.station.server import app_of, at_work
from dock.station.station import Station
from dock.tls import peer_of
from evidence.handover import Status
from simulator.layout import RunLayout
from simulator.lies import StationOp
from simulator.lying_app import LyingApp
from simulator.run_errors import WorldRefused
from simulator.straight_link import StraightLine
from simulator.virtual_network import VirtualNetwork
from simulator.virtual_time import VirtualTime

Told = Callable[[str, dict[str, Any]], None]


class _Telling(NoTelemetry):
    """What the agent tells goes to the timeline."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def event(self, name: str, data: dict[str, Any]) -> None:
        self._told(name, data)

    async def state(self, status: Status) -> None:
        """Everybody here asks the camera itself."""


class VirtualDock:
    """One station, and the agent of one camera. Both can be stopped and started again."""

    def __init__(
        self, virtual: VirtualTime, layout: RunLayout, network: VirtualNetwork, station_toml: Path, agent_toml: Path,
        told: Told,
    ) -> None:  # fmt: skip
        self._virtual = virtual
        self._pki = layout.pki
        self._liar: LyingApp | None = None
        self._station_config = load_station(station_toml)
        self._agent_config = load_agent(agent_toml)
        self._told = told
        self._stack: contextlib.AsyncExitStack | None = None
        self._agent: asyncio.Task[None] | None = None
        self._closing = contextlib.ExitStack()
        self.station: Station | None = None
        self.line = StraightLine(
            virtual.loop, network, peer_of(_der(layout.pki / "camera-tls.pem")), _der(layout.pki / "station-tls.pem")
        )

    def start_station(self) -> None:
        """Open the station and let it answer."""

        async def begin() -> None:
            self._stack = contextlib.AsyncExitStack()
            self.station = await self._stack.enter_async_context(at_work(self._station_config))
            self.line.application = app_of(self.station, self._around)

        self._virtual.loop.run_until_complete(begin())

    def _around(self, app: ASGIApp, station: Station) -> ASGIApp:
        self._liar = LyingApp(app, station, self._pki, die=None)
        return self._liar

    def do(self, op: StationOp) -> dict[str, Any]:
        """`simulator.lies.Doer`. Raises `WorldRefused`."""
        if self._liar is None:
            raise WorldRefused("the station does not run: start it first")
        return self._liar.do(op)

    def stop_station(self) -> None:
        """Nobody answers any more. May be called twice."""
        self.line.application = self._liar = None
        stack, self._stack, self.station = self._stack, None, None
        if stack is not None:
            self._virtual.loop.run_until_complete(stack.aclose())

    def start_agent(self) -> None:
        """Let the camera's agent work."""
        config = self._agent_config
        config.state_directory.mkdir(parents=True, exist_ok=True)
        ledger = self._closing.enter_context(contextlib.closing(open_ledger(config.state_directory / "uploads.sqlite")))
        self._agent = self._virtual.loop.create_task(
            work_on(config, ledger, _Telling(self._told), connect=self.line.connect)
        )

    def stop_agent(self) -> None:
        """The camera's agent ends. May be called twice."""
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.cancel()
            self._virtual.loop.run_until_complete(asyncio.wait([agent]))
        self._closing.close()


@contextlib.contextmanager
def virtual_dock(
    virtual: VirtualTime, layout: RunLayout, network: VirtualNetwork, station_toml: Path, agent_toml: Path, told: Told
) -> Iterator[VirtualDock]:
    """Agent and station at work until the end of the block."""
    dock = VirtualDock(virtual, layout, network, station_toml, agent_toml, told)
    try:
        dock.start_station()
        dock.start_agent()
        yield dock
    finally:
        dock.stop_agent()
        dock.stop_station()


def _der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(
        x509.load_pem_x509_certificates(path.read_bytes())[0].public_bytes(Encoding.PEM).decode()
    )

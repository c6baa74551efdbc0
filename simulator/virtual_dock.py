"""Agent and stations in this process, on virtual time: the same programs, connected without sockets.

The station has the same liar in front as the one of a process (`lying_app`), honest until told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from dock.agent.daemon import NoTelemetry, work_on
from dock.agent.ledger import open_ledger
from dock.config import StationConfig, load_agent, load_station
from dock.station.server import app_of, at_work
from dock.station.station import Station
from evidence.handover import Status
from simulator.layout import RunLayout
from simulator.lies import StationControl, StationOp
from simulator.lying_app import LyingApp
from simulator.network_words import Happen
from simulator.run_errors import WorldRefused
from simulator.station_settings import KINDS, Kind, write_station
from simulator.straight_link import StraightLine
from simulator.virtual_network import VirtualNetwork
from simulator.virtual_time import VirtualTime

FIRST: Final = "first"
Told = Callable[[str, dict[str, Any]], None]


class _Telling(NoTelemetry):
    """What the agent tells goes to the timeline."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def event(self, name: str, data: dict[str, Any]) -> None:
        self._told(name, data)

    async def state(self, status: Status) -> None:
        """Everybody here asks the camera itself."""


@dataclass
class _Open:
    """One station at work."""

    stack: contextlib.AsyncExitStack
    station: Station
    app: LyingApp


class VirtualDock:
    """The agent of one camera, and the stations that may stand before it. Everything can be stopped and started.

    It is the world's `DockControl` and its `Programs`, and what tells the station to lie. Methods without `async` are
    called while the loop stands still.
    """

    def __init__(
        self, virtual: VirtualTime, layout: RunLayout, network: VirtualNetwork, station_toml: Path, agent_toml: Path,
        told: Told,
    ) -> None:  # fmt: skip
        self._virtual = virtual
        self._layout = layout
        self._configs: dict[str, StationConfig] = {FIRST: load_station(station_toml)}
        self._agent_config = load_agent(agent_toml)
        self._told = told
        self._network = network
        self._open: dict[str, _Open] = {}
        self._agent: asyncio.Task[None] | None = None
        self._closing = contextlib.ExitStack()
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._restarting: asyncio.Task[None] | None = None
        self.line = StraightLine(virtual.loop, network, self._agent_config.tls, self._configs[FIRST].tls)
        self.control = StationControl(self)

    @property
    def station(self) -> Station | None:
        """The first one, if it works."""
        one = self._open.get(FIRST)
        return None if one is None else one.station

    @property
    def stations(self) -> tuple[Station, ...]:
        """All that work, whether they stand before the camera or not."""
        return tuple(one.station for one in self._open.values())

    # --- stations -----------------------------------------------------------------------------------------------------

    def start_station(self, name: str = FIRST) -> None:
        """Open a station and let it answer."""
        self._virtual.loop.run_until_complete(self._begin(name))

    def stop_station(self) -> None:
        """Nobody answers any more. May be called twice."""
        if self._restarting is not None:
            self._virtual.loop.run_until_complete(asyncio.wait([self._restarting]))
        self.line.application = None
        for name in tuple(self._open):
            self._virtual.loop.run_until_complete(self._end(name))

    def answers(self, kind: Kind | None) -> None:
        """`simulator.docks.DockControl`."""
        name = kind or FIRST
        if kind is not None and kind not in self._configs:
            directory = self._layout.out / f"station-{kind}"
            self._configs[kind] = load_station(write_station(directory, self._layout.pki, 443, KINDS[kind]))
        if name not in self._open:
            self.start_station(name)
        self.line.answer_by(self._configs[name].tls, self._serving(self._open[name]))
        self._network.do(Happen(link="station", what="reset"))

    def put_away(self) -> None:
        """Only the first station is left, and answers."""
        self.answers(None)
        for name in tuple(self._open.keys() - {FIRST}):
            self._virtual.loop.run_until_complete(self._end(name))

    def do(self, op: StationOp) -> dict[str, Any]:
        """`simulator.lies.Doer`: one command for the first station."""
        one = self._open.get(FIRST)
        if one is None:
            raise WorldRefused("the station does not work just now")
        return one.app.do(op)

    async def _begin(self, name: str) -> None:
        stack = contextlib.AsyncExitStack()
        station = await stack.enter_async_context(at_work(self._configs[name]))
        app = LyingApp(app_of(station), station, self._layout.pki, die=self._die)
        self._open[name] = one = _Open(stack, station, app)
        self.line.answer_by(self._configs[name].tls, self._serving(one))

    async def _end(self, name: str) -> None:
        one = self._open.pop(name, None)
        if one is not None:
            await one.stack.aclose()

    def _serving(self, one: _Open) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._going_on.wait()
            await one.app(scope, receive, send)

        return serve

    def _die(self) -> None:
        """The first station dies in the middle of a request, and is started again (loop)."""
        self.line.application = None
        self._restarting = self._virtual.loop.create_task(self._again())
        raise ConnectionResetError("the station has died")

    async def _again(self) -> None:
        await self._end(FIRST)
        await self._begin(FIRST)

    # --- the agent ----------------------------------------------------------------------------------------------------

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

    # --- `simulator.programs.Programs` --------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """End it, and start it again: here no request is under way while the loop stands still."""
        match name:
            case "agent":
                self.stop_agent()
                self.start_agent()
            case "station":
                self.stop_station()
                self.start_station()
            case _:
                raise WorldRefused(f"in virtual time there is no program {name!r} that could be killed by itself")

    def restart(self, name: str) -> None:
        """As `kill`."""
        self.kill(name)

    def stop(self, name: str) -> None:
        """The station answers nobody until `go_on`."""
        if name != "station":
            raise WorldRefused(f"in virtual time {name!r} cannot stand still by itself")
        self._going_on.clear()

    def go_on(self, name: str) -> None:
        """It works again."""
        if name == "station":
            self._going_on.set()


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

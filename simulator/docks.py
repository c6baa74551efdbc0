"""The docking stations of a run as processes: the one in front of the camera, and others that may take its place (R6).

The first one is the production station with a liar in front, honest until told otherwise (`lying_station`). Others are
started when a scenario wants them, each with a directory of its own, and answer behind the same address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from simulator.lying_station import station_control
from simulator.network_words import NetworkControl
from simulator.processes import Child, Children
from simulator.run_errors import WorldRefused
from simulator.station_settings import KINDS, Kind, write_station

READY: Final = "station ready: https://"
_READY_S: Final = 60.0


class DockControl(Protocol):
    """Which docking station the camera stands in. Raises `WorldRefused` if this world has no other."""

    def answers(self, kind: Kind | None) -> None:
        """Let that station answer the camera from now on, the first one if None; what is open is torn down."""
        ...


class OneDock:
    """For a world with one station only."""

    def answers(self, kind: Kind | None) -> None:
        """Refuses all but the first."""
        if kind is not None:
            raise WorldRefused("this world has one docking station: no other can take its place")


@dataclass
class Docks:
    """Stations beside each other. Commands are given by the thread that started the run."""

    children: Children
    directory: Path
    """Others get a directory of their own in it."""
    pki: Path
    control: Path
    """The first station's control socket."""
    network: NetworkControl
    link: str = "station"
    """Where the camera looks for its station."""
    _first: Child | None = None
    _ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.station = station_control(self.control)
        """Tells the first station to lie."""

    def begin(self, settings: Path) -> Child:
        """Start the first one; see `ready`. It is started again if somebody kills it. Raises OSError."""
        words = ["--config", str(settings), "--control", str(self.control), "--keys", str(self.pki)]
        command = self.children.program("simulator.lying_station", *words)
        self._first = self.children.start("station", command, service=True)
        return self._first

    def ready(self) -> int:
        """Wait until the first one answers; its port. Raises `ProcessDied`."""
        assert self._first is not None, "begin first"
        self._ports["first"] = self._port(self._first)
        return self._ports["first"]

    def answers(self, kind: Kind | None) -> None:
        """Let that station answer the camera from now on, the first one if None; what is open is torn down.

        Raises `ProcessDied`, `WorldRefused`.
        """
        if kind is not None and kind not in self._ports:
            settings = write_station(self.directory / f"station-{kind}", self.pki, station=KINDS[kind])
            command = self.children.program("dock", "station", "--config", str(settings))
            self._ports[kind] = self._port(self.children.start(f"station-{kind}", command))
        self.network.aim(self.link, self._ports[kind or "first"])
        self.network.happen(self.link, "reset")

    def _port(self, child: Child) -> int:
        ready = self.children.wait_for_text(child, READY, _READY_S)
        return int(re.findall(r"https://[^ ]*:([0-9]+)", ready)[0])

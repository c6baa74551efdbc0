"""A small world on the bench: the real station with its liar, the network before it, and agents that come to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agent_bench import RunningAgent
from dock_bench import SERIAL, poll_until, write_agent
from dock_camera import Camera, FakeRecorder

from evidence.handover import SpoolFile
from evidence.trust import Trust
from fleet.ca import create_agency
from simulator.docks import Docks
from simulator.faults import Fault, catalogue, find_fault
from simulator.lies import StationControl
from simulator.network import READY, network_control, ports_of
from simulator.network_words import NetworkControl
from simulator.processes import Children, python_module
from simulator.station_keys import write_station_keys
from simulator.station_settings import SYSTEM_ID, write_station

if TYPE_CHECKING:
    from simulator.world import World

_NUMBERS = itertools.count(1)


@dataclass
class LyingWorld:
    """What a fault may touch, without a whole camera: network, station, docks."""

    pki: Path
    directory: Path
    children: Children
    docks: Docks
    port: int
    """Where agents call."""

    @property
    def network(self) -> NetworkControl:
        return self.docks.network

    @property
    def station(self) -> StationControl:
        return self.docks.station

    @property
    def store(self) -> Path:
        return self.directory / "station/store"

    def until(self, what: Callable[[], Any], why: str = "") -> Any:
        """As `poll_until`; a station that was killed is started again meanwhile."""

        def look() -> Any:
            self.children.check()
            return what()

        return poll_until(look, seconds=120, why=why)

    def again(self) -> None:
        """As it was at first, and nothing was ever asked."""
        self.network.restore("station")
        self.docks.answers(None)
        self.until(lambda: self._honest(), "the station answers")

    def _honest(self) -> bool:
        try:
            self.station.honest()
        except Exception:  # noqa: BLE001 - it is being started again
            return False
        return True


@contextmanager
def lying_world(directory: Path) -> Iterator[LyingWorld]:
    """Started once for a file of tests; each test brings recordings of its own."""
    pki, logs = directory / "pki", directory / "logs"
    write_station_keys(pki, create_agency(pki, serial=SERIAL))
    logs.mkdir()
    control, network = directory / "n.sock", None
    with Children(logs) as children:
        docks = Docks(children, directory, pki, directory / "s.sock", network_control(control))
        docks.begin(write_station(directory / "station", pki))
        port = docks.ready()
        write_station(directory / "station", pki, port)  # should it be started again, it is where it was
        words = ["--control", str(control), "--link", f"station={port}"]
        network = children.start("network", python_module("simulator.network", *words))
        ports = ports_of(children.wait_for_text(network, READY, 60))
        yield LyingWorld(pki, directory, children, docks, ports["station"])


@dataclass
class Visitor:
    """A camera that docks with two new recordings, and the agent that brings them."""

    world: LyingWorld
    camera: Camera
    recorder: FakeRecorder
    tmp_path: Path

    def files(self, *sizes: int) -> list[SpoolFile]:
        """Recordings that the station has never seen, ready for upload."""
        made = [self.camera.record(next(_NUMBERS), size=size) for size in sizes]
        self.recorder.files = [*self.recorder.files, *made]
        return made

    def brings_one(self) -> None:
        """One file goes the honest way, unless one has gone before."""
        if not any(self.world.store.glob("*.receipt.p7s")):
            self.files(0)
            with self.agent():
                self.world.until(lambda: self.recorder.receipts, "the first file arrives")
            self.recorder.receipts.clear()

    def agent(self, offload: str = "chunk_bytes = 8192", timeout_s: float = 20.0) -> RunningAgent:
        said = {"offload": offload, "system": SYSTEM_ID, "timeout_s": timeout_s}
        path = write_agent(self.tmp_path, self.world.pki, port=self.world.port, **said)  # type: ignore[arg-type]
        path.write_text(path.read_text().replace("ask_again_s = 0.5", "ask_again_s = 86400.0"))
        return RunningAgent(path)

    def stored(self, file: SpoolFile) -> bool:
        """Byte for byte in the real store, with its receipt beside it."""
        path = self.world.store / file.name
        receipt = path.with_name(f"{file.name}.receipt.p7s")
        return path.is_file() and receipt.is_file() and path.read_bytes() == self.here(file)

    def here(self, file: SpoolFile) -> bytes:
        return (self.camera.spool / file.name).read_bytes()


def visitor_of(world: LyingWorld, tmp_path: Path) -> Visitor:
    """A camera with an empty card, whose recorder is as strict as the device's."""
    (tmp_path / "spool").mkdir()
    camera = Camera(world.pki, tmp_path / "spool")
    recorder = FakeRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(world.pki / "root.pem"))
    return Visitor(world, camera, recorder, tmp_path)


def faults(kind: str, *without: str) -> list[Fault]:
    return [one for one in catalogue().values() if one.name.startswith(f"{kind}.") and one.name not in without]


def begin(fault: Fault | str, world: LyingWorld, amount: float | None = None) -> Fault:
    """As a scenario would."""
    fault = find_fault(fault) if isinstance(fault, str) else fault
    usual = fault.amount.usual if fault.amount is not None else None
    fault.begin(cast("World", world), usual if amount is None else amount)
    return fault


def end(fault: Fault, world: LyingWorld) -> None:
    assert fault.end is not None
    fault.end(cast("World", world))

"""A real camera daemon as a process with a world around it, and neither station nor broker: enough to see it react."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from real_time import comes_first

from evidence.handover import Notice, Status
from simulator import agency
from simulator.battery_feed import BatteryFeed
from simulator.camera_link import CameraLink
from simulator.deeds import Deeds
from simulator.gps_feed import GpsFeed
from simulator.hands import Hands
from simulator.layout import run_layout
from simulator.log_watch import LogWatch
from simulator.people import People
from simulator.processes import Children, python_module
from simulator.progress import Progress
from simulator.scenario import parse_scenario
from simulator.second_camera import SecondCamera
from simulator.socket_lines import Recorder
from simulator.stage import RealStage
from simulator.thermal_feed import ThermalFeed
from simulator.words import deed
from simulator.world import World

POLICY = {"pre_event_s": 2, "min_free_mib": 1, "keep_after_receipt_h": 0}
PICTURE = {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 100_000}


@contextlib.contextmanager
def camera_that_records() -> Iterator[World]:
    """One in a short directory of its own: a Unix socket's path has at most 107 bytes, and pytest's are long."""
    with (
        comes_first(),
        tempfile.TemporaryDirectory(prefix="alone-", ignore_cleanup_errors=True) as directory,
        camera_alone(Path(directory) / "out") as world,
    ):
        world.act(deed("press record button twice"))
        world.wait_for("recording", 120)
        yield world


@contextlib.contextmanager
def camera_alone(out: Path, *, policy: dict[str, Any] | None = None) -> Iterator[World]:
    """A world whose camera answers, its self-test over and its ring full. `world.told` has all its notices."""
    values = {
        "title": "A camera alone",
        "profile": {**POLICY, **(policy or {})},
        "camera": PICTURE,
        "step": [{"at": "start", "do": "nothing"}],
    }
    scenario = parse_scenario(values, "", "camera alone")
    with contextlib.ExitStack() as cleanup:
        layout = cleanup.enter_context(run_layout(out))
        children = cleanup.enter_context(Children(layout.logs))
        agency.found_agency(layout, scenario)
        battery, thermal, gps = BatteryFeed(layout.battery, percent=80), ThermalFeed(layout.thermal), GpsFeed()
        cleanup.callback(gps.stop)
        gps.start()
        settings = agency.write_device_settings(layout, scenario, agency.Sources(gps.port))
        command = python_module("device", "run", "--config", str(settings), "--allow-simulated")
        device = children.start("device", command, service=True)
        recorder = cleanup.enter_context(contextlib.closing(Recorder(layout.recorder_socket)))
        camera = CameraLink(children, recorder, layout.hardware_socket, device)
        camera.connect(240)
        cleanup.callback(camera.close)
        profile = agency.profile_of(scenario)
        hands = Hands(camera, profile, lambda seconds: world.pause(seconds))
        people = SecondCamera(layout.pki), People(layout.pki, agency.SERIAL)
        deeds = Deeds(camera, hands, gps, battery, thermal, *people)
        holder: Any = SimpleNamespace(look=lambda _: None)
        log = LogWatch((layout.spool, layout.store))
        world = World(camera, battery, profile, Progress(io.StringIO()), deeds, log, holder, RealStage())
        cleanup.callback(world.shut)
        world.wait_for("self-test done", 240)
        world.wait_for("ring full", 240)
        yield world


class Told:
    """What the camera has told since this was made: notices, and entries of its device log."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._entries = len(world.log.look())
        self.notices: list[Notice] = []
        world.watchers.append(self._look)

    def _look(self, _: Status, notices: Any) -> None:
        self.notices += notices

    def words(self) -> list[tuple[str, str | None]]:
        """Log entries and notices as (event, word)."""
        entries = [(one.event, one.word) for one in self._world.log.look()[self._entries :]]
        return entries + [(one.event, one.word) for one in self.notices]

    def wait(self, *wanted: tuple[str, str | None], within_s: float = 120.0) -> None:
        """Until all of them were told; a word of None stands for any."""
        until_s = self._world.now_s() + within_s
        while missing := [one for one in wanted if not self._has(one)]:
            assert self._world.now_s() < until_s, f"not told in {within_s} s: {missing}; told was {self.words()}"
            self._world.pause(0.1)
            self._world.look()

    def _has(self, wanted: tuple[str, str | None]) -> bool:
        return any(event == wanted[0] and wanted[1] in (None, word) for event, word in self.words())

"""A shift in one process on virtual time: ten hours in a minute, and the same seed gives the same timeline.

What is real: the daemon, the agent, the station, H.264 and AAC, sealing, signing, every write and sync. What is not:
sockets between camera and station (`simulator.straight_link`), telemetry (there is no broker), and the time. Keys,
nonces and sealing never take their randomness from the seed; the agent's jitter and the world's noise do.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.export.decrypt import Vault
from evidence.trust import Trust
from hal.program_time import utc_ns
from simulator import agency
from simulator.card.layer import installed
from simulator.card.medium import PowerLost
from simulator.deeds import Deeds
from simulator.drivers.board import Board
from simulator.hands import Hands
from simulator.layout import RunLayout, run_layout
from simulator.log_watch import LogWatch
from simulator.measured import measure
from simulator.network_words import NetworkControl
from simulator.people import People
from simulator.playing import play_and_keep
from simulator.progress import Progress
from simulator.receiver import RouteReceiver
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine
from simulator.report import build_report
from simulator.run_expected import judge_expected
from simulator.running import Order, signals
from simulator.second_camera import SecondCamera
from simulator.surroundings import begin, cell_of, route_of
from simulator.thermal_feed import ThermalFeed
from simulator.turns import TimeIsOver
from simulator.vault_holder import proven
from simulator.virtual_camera import VirtualCamera
from simulator.virtual_dock import VirtualDock, virtual_dock
from simulator.virtual_evidence import add_evidence
from simulator.virtual_holder import VirtualHolder
from simulator.virtual_network import VirtualNetwork
from simulator.virtual_time import VirtualStage, VirtualTime, virtual_time
from simulator.virtual_timeline import Timeline
from simulator.words import Deed
from simulator.world import World

_SKY_EVERY_S = 5
"""Satellites are told of less often than positions, as many receivers are set up: sentences cost time here."""
AGENT_POLL_S = 30.0
"""How often the agent asks a camera that tells nothing; it hears at once of what the camera tells."""
COLLECT_AFTER = 50_000
"""Objects made and not freed until the next look for cycles (Python's default is 700)."""


@dataclass(frozen=True, slots=True)
class VirtualRunning:
    """A department at work in this process."""

    order: Order
    layout: RunLayout
    virtual: VirtualTime
    camera: VirtualCamera
    dock: VirtualDock
    world: World
    timeline: Timeline

    def end(self) -> dict[str, int]:
        """Switch the camera off, stop agent and station; exit codes."""
        code = self.camera.shut_down()
        self.dock.stop_agent()
        self.dock.stop_station()
        self.world.progress.event("the camera is switched off, the station is stopped")
        return {"device": code, "agent": 0, "station": 0}


@contextlib.contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let Python look for cycles seldom: in a minute it would do so a hundred thousand times, and find few."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def virtual_running(order: Order, progress: Progress) -> Iterator[VirtualRunning]:
    """Found the department, start its programs in this process, and wait until the camera answers.

    Nothing else may run in this process's time meanwhile. Raises `RunError`.
    """
    scenario = order.scenario
    before = random.getstate()
    random.seed(order.seed)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(random.setstate, before)
        cleanup.enter_context(_seldom_collecting())
        layout = cleanup.enter_context(run_layout(order.out))
        cleanup.enter_context(_logged(layout.logs / "virtual.log"))
        progress.plain(f"{scenario.title}. Simulated, in virtual time: nothing of this is evidence. Files: {order.out}")
        agency.found_agency(layout, scenario, order.keys)
        cleanup.enter_context(_quiet_dead())
        virtual = cleanup.enter_context(virtual_time(_next_morning_ns(time.time_ns())))
        battery, thermal = cell_of(layout, scenario), ThermalFeed(layout.thermal)
        card = cleanup.enter_context(installed(layout.camera, wait=virtual.wait_here, really_sync=True))
        board = Board(str(layout.hardware_socket), virtual)
        cleanup.callback(board.take_away)
        gps = ReceiverControls(RouteReceiver(route_of(scenario, order.route), order.seed), ReceiverLine(order.seed))
        gps.receiver.sky_every_s = _SKY_EVERY_S
        begin(gps, scenario)
        board.things["gps"] = gps
        timeline = Timeline(virtual.boottime_ns, agency.INDICATORS)
        board.watchers.append(timeline.pin)
        sources = agency.Sources("", None, order.seed, in_process=True)
        device_toml = agency.write_device_settings(layout, scenario, sources)
        station_toml = agency.write_station_settings(layout, 443, scenario.setup.station)
        agent_toml = agency.write_agent_settings(layout, 443, None, poll_s=AGENT_POLL_S)

        def charge() -> None:
            progress.event("    the camera has switched itself off; somebody changes its battery")
            battery.set(percent=60)

        camera = VirtualCamera(virtual, board, card, device_toml, on_power_off=charge)
        camera.on_notice = timeline.notice
        camera.start()
        cleanup.callback(camera.shut_down)
        network = VirtualNetwork(order.seed)
        dock = cleanup.enter_context(virtual_dock(virtual, layout, network, station_toml, agent_toml, timeline.offload))
        profile = agency.profile_of(scenario)

        def pause(seconds: float) -> None:
            world.pause(seconds)

        deeds = Deeds(
            camera, Hands(camera, profile, pause), gps, battery, thermal,
            SecondCamera(layout.pki, utc_ns=utc_ns),
            People(layout.pki, agency.SERIAL, utc_ns, officer=scenario.setup.officer),
        )  # fmt: skip
        holder = VirtualHolder(virtual, layout, dock, progress)
        layout.proofs.mkdir(exist_ok=True)
        log = LogWatch((layout.spool, layout.store))
        world = World(camera, battery, profile, progress, deeds, log, holder, VirtualStage(virtual))
        world.network, world.docks, world.station, world.programs = NetworkControl(network), dock, dock.control, dock
        world.card = camera.card
        cleanup.callback(world.shut)
        if scenario.setup.dock.docked:
            deeds.do(Deed("dock"))
        yield VirtualRunning(order, layout, virtual, camera, dock, world, timeline)


@contextlib.contextmanager
def _quiet_dead() -> Iterator[None]:
    """A thread that dies of a power cut, or of the end of its time, says nothing."""
    before = threading.excepthook

    def hook(one: threading.ExceptHookArgs) -> None:
        if not issubclass(one.exc_type, PowerLost | TimeIsOver):
            before(one)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What the programs log goes to one file, for the time of the block."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _next_morning_ns(now_ns: int) -> int:
    """The next 08:00 UTC: what depends on the time of day is the same in each run, and all certificates are valid."""
    day_ns, eight_ns = 86_400 * 10**9, 8 * 3600 * 10**9
    today_ns = now_ns // day_ns * day_ns + eight_ns
    return today_ns if today_ns > now_ns else today_ns + day_ns


def run_virtual(order: Order, progress: Progress, *, judged: bool = True) -> dict[str, Any]:
    """Play the scenario; the report, which also lies in ``report.json`` beside ``timeline.jsonl``.

    Unless `judged`, only what the scenario itself expects counts. Raises `RunError` with one sentence.
    """
    began_s = time.monotonic()
    with signals(), virtual_running(order, progress) as run:
        scenario_s = play_and_keep(order.scenario, run.world, run.layout)
        facts: dict[str, Any] = {"exit_codes": run.end(), "restarts": [], "scenario_s": scenario_s, "seed": order.seed}
        facts["virtual_s"] = round(run.world.now_s(), 3)
        layout = run.layout
        trust = Trust.load(layout.pki / "root.pem")
        vault = Vault.load(layout.pki / "vault.pem", layout.pki / "vault.key")
        add_evidence(run.timeline, (layout.spool, layout.store), vault)
        facts["timeline_lines"] = run.timeline.write(layout.out / "timeline.jsonl")
        facts["proofs"] = proven(layout.proofs, trust)
        if judged:
            measured = measure(layout.stores, layout.spool, trust, vault)
            report = build_report(measured, None, order.scenario.triggers, facts)
        else:
            report = judge_expected(order.scenario, layout, facts)
        report["elapsed_s"] = round(time.monotonic() - began_s, 1)
        layout.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report

"""A whole shift: set up a department, start its programs, play the scenario, and measure what the evidence says."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from evidence.export.decrypt import Vault
from evidence.trust import Trust
from hal.errors import HalError
from simulator import agency, broker
from simulator.battery_feed import BatteryFeed
from simulator.camera_link import CameraLink
from simulator.deeds import Deeds
from simulator.drivers.clip import open_clip
from simulator.expecting import expect
from simulator.exporting import export_all
from simulator.gps_feed import GpsFeed
from simulator.hands import Hands
from simulator.layout import RunLayout, run_layout
from simulator.log_watch import LogWatch
from simulator.measured import measure
from simulator.people import People
from simulator.processes import Child, Children, python_module
from simulator.progress import Progress
from simulator.report import build_report
from simulator.run_errors import BadInput, Interrupted, NotAsExpected, WorldRefused
from simulator.scenario import Scenario
from simulator.second_camera import SecondCamera
from simulator.socket_lines import Recorder
from simulator.stage import RealStage
from simulator.thermal_feed import ThermalFeed
from simulator.vault_holder import VaultHolder, proven
from simulator.world import World

READY_WITHIN_S: Final = 60.0
"""A small board may take long to import everything."""
STATE_WITHIN_S: Final = 60.0
"""How long any state of a scenario may take; the ring's length comes on top."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for."""

    scenario: Scenario
    out: Path
    clip: Path | None = None
    nmea: Path | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Programs:
    """The long-running processes of a run."""

    device: Child
    agent: Child
    station: Child
    broker: Child


def run_shift(order: Order, progress: Progress) -> dict[str, Any]:
    """Play the scenario and return the report, which also lies in ``report.json``.

    Raises `RunError` with one sentence; no process is left behind in any case.
    """
    if order.clip is not None:
        try:
            open_clip(str(order.clip))
        except HalError as error:
            raise BadInput(str(error)) from error
    with contextlib.ExitStack() as cleanup:
        gps = _receiver(order.nmea)
        cleanup.callback(gps.stop)
        cleanup.enter_context(_signals())
        layout = cleanup.enter_context(run_layout(order.out))
        children = cleanup.enter_context(Children(layout.logs))
        began_s = time.monotonic()
        progress.plain(f"{order.scenario.title}. Simulated: nothing of this is evidence. Files: {order.out}")
        agency.found_agency(layout, order.scenario)
        battery = BatteryFeed(layout.battery, percent=87.0)
        thermal = ThermalFeed(layout.thermal)
        children.on_power_off = partial(_charge, battery, progress)
        gps.start()
        programs = _start(layout, children, order, gps.port, progress)
        with contextlib.closing(Recorder(layout.recorder_socket)) as recorder:
            _play(order.scenario, _world(layout, children, programs, recorder, gps, battery, thermal, order, progress))
        exits = _end(children, programs, progress)
        restarts = [{"name": name, "signal": number} for name, number in children.restarts]
        report = _judge(order, layout, children, progress, {"exit_codes": exits, "restarts": restarts})
        report["elapsed_s"] = round(time.monotonic() - began_s, 1)
        layout.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report


def _charge(battery: BatteryFeed, progress: Progress) -> None:
    progress.event("    the camera has closed everything and switched itself off; somebody changes its battery")
    battery.set(percent=60)


def _receiver(nmea: Path | None) -> GpsFeed:
    try:
        return GpsFeed(nmea)
    except (OSError, ValueError) as error:
        raise BadInput(f"--nmea {nmea} cannot be played: {error}") from error


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C become `Interrupted`, so that everything is taken down in order."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)  # a second one must not break the taking down
        raise Interrupted(number)

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(layout: RunLayout, children: Children, order: Order, gps_port: str, progress: Progress) -> Programs:
    device_toml = agency.write_device_settings(
        layout, order.scenario, agency.Sources(gps_port, order.clip and order.clip.resolve(), order.seed)
    )
    camera = python_module("device", "run", "--config", str(device_toml), "--allow-simulated")
    device = children.start("device", camera, service=True)
    station_toml = agency.write_station_settings(layout)
    dock = python_module("dock", "station", "--config", str(station_toml))
    station = children.start("station", dock, service=True)
    mqtt = children.start("broker", python_module("simulator.broker", str(layout.pki)))
    ready = children.wait_for_text(station, "station ready: https://", READY_WITHIN_S)
    station_port = int(re.findall(r"https://[^ ]*:([0-9]+)", ready)[0])
    agency.write_station_settings(layout, station_port)  # should it be started again, it is where it was
    broker_port = int(children.wait_for_text(mqtt, broker.READY, READY_WITHIN_S).rpartition(" ")[2])
    agent_toml = agency.write_agent_settings(layout, station_port, broker_port)
    agent = children.start("agent", python_module("dock", "agent", "--config", str(agent_toml)), service=True)
    programs = Programs(device, agent, station, mqtt)
    progress.event(
        "started: " + ", ".join(f"{one.name} (process {one.process.pid})" for one in (device, agent, station, mqtt))
    )
    return programs


def _world(
    layout: RunLayout,
    children: Children,
    programs: Programs,
    recorder: Recorder,
    gps: GpsFeed,
    battery: BatteryFeed,
    thermal: ThermalFeed,
    order: Order,
    progress: Progress,
) -> World:
    """The world around a camera that answers."""
    camera = CameraLink(children, recorder, layout.hardware_socket, programs.device)
    camera.connect(READY_WITHIN_S)
    profile = agency.profile_of(order.scenario)

    def pause(seconds: float) -> None:
        world.pause(seconds)

    hands = Hands(camera, profile, pause)
    deeds = Deeds(camera, hands, gps, battery, thermal, SecondCamera(layout.pki), People(layout.pki, agency.SERIAL))
    holder = VaultHolder(layout, children, progress)
    log = LogWatch((layout.spool, layout.store))
    world = World(camera, battery, profile, progress, deeds, log, holder, RealStage())
    return world


def _play(scenario: Scenario, world: World) -> None:
    within_s = STATE_WITHIN_S + world.profile.pre_event_s
    with contextlib.closing(world.camera):
        for step in scenario.steps:
            if step.state is not None:
                world.wait_for(step.state, within_s)
            world.pause(step.wait_s)
            if step.say:
                world.progress.event(step.say)
            if step.action != "nothing":
                world.progress.event(f"> {step.text}")
            since = len(world.log.look()) if step.expect else 0
            try:
                world.act(step.deed)
            except WorldRefused as error:
                raise NotAsExpected(f"{scenario.name}:{step.line}: {error}") from error
            done_s = world.now_s()
            world.look()
            for one in step.expect:
                expect(one, world, f"{scenario.name}:{step.line}", since, done_s)


def _end(children: Children, programs: Programs, progress: Progress) -> dict[str, int]:
    """End the programs in the order of a real switch-off; their exit codes."""
    order = (programs.device, programs.agent, programs.station, programs.broker)
    children.stop(*order)
    codes = {one.name: int(one.process.returncode) for one in order}
    progress.event("the camera is switched off, the station is stopped")
    for name, code in codes.items():
        if code != 0:
            progress.event(f"  {name} ended with code {code}, see logs/{name}.log")
    return codes


def _judge(
    order: Order, layout: RunLayout, children: Children, progress: Progress, extra: dict[str, Any]
) -> dict[str, Any]:
    trust = Trust.load(layout.pki / "root.pem")
    vault = Vault.load(layout.pki / "vault.pem", layout.pki / "vault.key")
    recordings = sorted(path for path in layout.store.glob("*.evidence") if "-log-" not in path.name)
    progress.event(f"exporting {len(recordings)} recordings and reading every frame of the videos")
    exports = export_all(layout, children, recordings)
    extra = {**extra, "proofs": proven(layout.proofs, trust)}
    measured = measure(layout.store, layout.spool, trust, vault)
    return build_report(measured, exports, order.scenario.triggers, extra)

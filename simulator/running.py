"""A running world: a department is founded, its programs are started, and a camera answers. Shift and panel use it.

Everything that was started is ended when the ``with`` block is left, whatever happened in it.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from hal import program_time
from hal.errors import HalError
from simulator import agency, broker
from simulator.battery_feed import BatteryFeed
from simulator.camera_link import CameraLink
from simulator.card.mounted import MountedCard, NoCard, mount_card
from simulator.card.orders import CardOrders
from simulator.deeds import Deeds
from simulator.docks import Docks
from simulator.drivers.clip import open_clip
from simulator.gps_feed import GpsFeed
from simulator.hands import Hands
from simulator.layout import RunLayout, run_layout
from simulator.log_watch import LogWatch
from simulator.network import READY as NETWORK_READY
from simulator.network import network_control, ports_of
from simulator.people import People
from simulator.processes import Child, Children, python_module
from simulator.programs import ChildPrograms
from simulator.progress import Progress
from simulator.run_errors import BadInput, Interrupted, WorldRefused
from simulator.scaled_time import ScaledStage, ScaledTime, scaled_time
from simulator.scenario import Scenario
from simulator.second_camera import SecondCamera
from simulator.socket_lines import Recorder
from simulator.stage import RealStage, Stage
from simulator.surroundings import begin, cell_of, route_of
from simulator.thermal_feed import ThermalFeed
from simulator.vault_holder import VaultHolder
from simulator.words import Deed
from simulator.world import World
from simulator.world_door import WorldDoor
from simulator.world_place import announced

DRAWN_UP_TO: Final = 4.0
"""At this speed and below the street is drawn and encoded picture by picture; above, once, and played in a loop."""
READY_WITHIN_S: Final = 180.0
"""A small board may take long to import everything."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for."""

    scenario: Scenario
    out: Path
    clip: Path | None = None
    nmea: Path | None = None
    seed: int = 1
    route: Path | None = None
    """A GPX file; None: the scenario's own route."""
    speed: float = 1.0
    """How many seconds of the run pass in one of this machine."""
    keys: Path | None = None
    """A department's keys that were made before (`agency.make_keys`); None: it makes its own."""
    plain_card: bool = False
    """The camera's card is a plain directory in real time too: faster, and it cannot fail."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The long-running processes of a run."""

    device: Child
    agent: Child
    station: Child
    broker: Child
    docks: Docks


@dataclass(frozen=True, slots=True)
class Running:
    """A department at work. Its world is driven by one thread, the one that opened it."""

    order: Order
    layout: RunLayout
    children: Children
    programs: Programs
    recorder: Recorder
    world: World

    def end(self) -> dict[str, int]:
        """End the programs in the order of a real switch-off; their exit codes."""
        self.world.shut()
        card = self.world.card
        if isinstance(card, MountedCard):
            card.make_whole()  # what a stalled card makes wait cannot end
        self.world.camera.close()
        self.recorder.close()
        programs, progress = self.programs, self.world.progress
        order = (programs.device, programs.agent, programs.station, programs.broker)
        self.children.stop(*order)
        codes = {one.name: int(one.process.returncode) for one in order}
        progress.event("the camera is switched off, the station is stopped")
        for name, code in codes.items():
            if code != 0:
                progress.event(f"  {name} ended with code {code}, see logs/{name}.log")
        return codes


@contextlib.contextmanager
def running(order: Order, progress: Progress) -> Iterator[Running]:
    """Found the department, start its programs, and wait until the camera answers.

    Call it on the thread that also leaves the block: the kernel ties the programs' lives to it. Raises `RunError`.
    """
    if order.clip is not None:
        if order.speed > DRAWN_UP_TO:
            raise BadInput(f"--clip is decoded picture by picture: play it with --speed {DRAWN_UP_TO:g} at most")
        try:
            open_clip(str(order.clip))
        except HalError as error:
            raise BadInput(str(error)) from error
    with contextlib.ExitStack() as cleanup:
        scaled = None if order.speed == 1 else cleanup.enter_context(scaled_time(ScaledTime.from_now(order.speed)))
        gps = _receiver(order)
        cleanup.callback(gps.stop)
        layout = cleanup.enter_context(run_layout(order.out))
        children = cleanup.enter_context(Children(layout.logs))
        if scaled is not None:
            children.program = scaled.command
        progress.plain(f"{order.scenario.title}. Simulated: nothing of this is evidence. Files: {order.out}")
        agency.found_agency(layout, order.scenario, order.keys)
        battery = cell_of(layout, order.scenario)
        thermal = ThermalFeed(layout.thermal)
        children.on_power_off = partial(_charge, battery, progress)
        card = cleanup.enter_context(_card(layout, children, progress, plain=order.plain_card))
        gps.start()
        programs = _start(layout, children, order, gps.port, progress)
        recorder = cleanup.enter_context(contextlib.closing(Recorder(layout.recorder_socket)))
        camera = _camera(layout, children, programs, recorder, card)
        stage = RealStage() if scaled is None else ScaledStage(scaled)
        world = _world(layout, children, programs, camera, card, gps, battery, thermal, order, progress, stage)
        cleanup.callback(world.camera.close)
        world.door = WorldDoor(layout.world_socket)
        cleanup.callback(world.shut)
        cleanup.enter_context(announced(layout.out, layout.world_socket))
        yield Running(order, layout, children, programs, recorder, world)


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C become `Interrupted`, so that everything is taken down in order. Main thread only."""

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


@contextlib.contextmanager
def _card(layout: RunLayout, children: Children, progress: Progress, *, plain: bool) -> Iterator[MountedCard | NoCard]:
    """A card that can fail, under everything the camera keeps; whole again before the programs are ended."""
    if plain:
        yield NoCard()
        return
    card, _ = mount_card(children, layout.camera, layout.card_socket)
    if isinstance(card, NoCard):
        progress.plain(f"The camera's card cannot fail in this run: {card.why}.")
        yield card
        return
    try:
        yield card
    finally:
        with contextlib.suppress(WorldRefused):  # it ended: its mount is gone, and nobody waits for it
            card.make_whole()
        card.close()


def _charge(battery: BatteryFeed, progress: Progress) -> None:
    progress.event("    the camera has closed everything and switched itself off; somebody changes its battery")
    battery.set(percent=60)


def _receiver(order: Order) -> GpsFeed:
    if order.nmea is not None and order.route is not None:
        raise BadInput("--nmea plays a log and --route drives a route: give one of them")
    route = route_of(order.scenario, order.route)
    try:
        gps = GpsFeed(order.nmea, program_time.utc_ns, route=route, seed=order.seed)
    except (OSError, ValueError) as error:
        raise BadInput(f"--nmea {order.nmea} cannot be played: {error}") from error
    begin(gps, order.scenario)
    return gps


def _start(layout: RunLayout, children: Children, order: Order, gps_port: str, progress: Progress) -> Programs:
    device_toml = agency.write_device_settings(
        layout,
        order.scenario,
        agency.Sources(
            gps_port, order.clip and order.clip.resolve(), order.seed, encoded_once=order.speed > DRAWN_UP_TO
        ),
    )
    camera = children.program("device", "run", "--config", str(device_toml), "--allow-simulated")
    device = children.start("device", camera, service=True)
    station_setup = order.scenario.setup.station
    station_toml = agency.write_station_settings(layout, setup=station_setup)
    docks = Docks(children, layout.out, layout.pki, layout.station_socket, network_control(layout.network_socket))
    station = docks.begin(station_toml)
    mqtt = children.start("broker", python_module("simulator.broker", str(layout.pki)), service=True)
    station_port = docks.ready()
    agency.write_station_settings(layout, station_port, station_setup)  # started again, it is where it was
    broker_port = int(children.wait_for_text(mqtt, broker.READY, READY_WITHIN_S).rpartition(" ")[2])
    mqtt.command = (*mqtt.command, str(broker_port))  # should it be started again, it is where it was
    ports = _network(layout, children, order.seed, {"station": station_port, "broker": broker_port})
    agent_toml = agency.write_agent_settings(layout, ports["station"], ports["broker"])
    agent = children.start("agent", children.program("dock", "agent", "--config", str(agent_toml)), service=True)
    programs = Programs(device, agent, station, mqtt, docks)
    progress.event(
        "started: " + ", ".join(f"{one.name} (process {one.process.pid})" for one in (device, agent, station, mqtt))
    )
    return programs


def _network(layout: RunLayout, children: Children, seed: int, targets: dict[str, int]) -> dict[str, int]:
    """What lies between the camera and the rest; the ports that the camera calls instead of `targets`."""
    words = ["--control", str(layout.network_socket), "--seed", str(seed)]
    links = [word for name, port in targets.items() for word in ("--link", f"{name}={port}")]
    network = children.start("network", children.program("simulator.network", *words, *links))
    return ports_of(children.wait_for_text(network, NETWORK_READY, READY_WITHIN_S))


def _camera(
    layout: RunLayout, children: Children, programs: Programs, recorder: Recorder, card: MountedCard | NoCard
) -> CameraLink:
    """A camera that answers."""
    camera = CameraLink(children, recorder, layout.hardware_socket, programs.device)
    if isinstance(card, MountedCard):
        camera.card, camera.also = card, (programs.agent,)
    camera.connect(READY_WITHIN_S)
    return camera


def _world(
    layout: RunLayout,
    children: Children,
    programs: Programs,
    camera: CameraLink,
    card: CardOrders,
    gps: GpsFeed,
    battery: BatteryFeed,
    thermal: ThermalFeed,
    order: Order,
    progress: Progress,
    stage: Stage,
) -> World:
    """The world around a camera that answers."""
    profile = agency.profile_of(order.scenario)

    def pause(seconds: float) -> None:
        world.pause(seconds)

    hands = Hands(camera, profile, pause)
    people = People(layout.pki, agency.SERIAL, stage.utc_ns, officer=order.scenario.setup.officer)
    deeds = Deeds(camera, hands, gps, battery, thermal, SecondCamera(layout.pki, utc_ns=stage.utc_ns), people)
    holder = VaultHolder(layout, children, progress)
    log = LogWatch((card.seen(layout.spool), *layout.stores))
    world = World(camera, battery, profile, progress, deeds, log, holder, stage)
    world.card = card
    world.docks, world.network, world.station = programs.docks, programs.docks.network, programs.docks.station
    single = (programs.device, programs.agent, programs.station, programs.broker)
    world.programs = ChildPrograms(children, {one.name: one for one in single})
    if order.scenario.setup.dock.docked:
        deeds.do(Deed("dock"))
    return world

"""Faults of receiver, movement, battery, heat, lines and clock: what they do, and what a real camera does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_alone import Told, camera_alone
from paper_world import make_agency, paper_world

from evidence.cms import parse_signed
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import ClockStep, decode
from simulator.faults import catalogue
from simulator.faults.fault import Fault
from simulator.receiver import RouteReceiver
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine
from simulator.run_errors import WorldRefused
from simulator.words import deed
from simulator.world import World

KINDS = ("gps", "motion", "battery", "heat", "lines", "clock")
MINE = [one for one in catalogue().values() if one.name.partition(".")[0] in KINDS]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_agency(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def paper(tmp_path: Path, pki: Path) -> World:
    """A world on paper with a real receiver model."""
    world = paper_world(tmp_path, pki)
    controls: Any = ReceiverControls(RouteReceiver(), ReceiverLine())
    world.deeds.gps = controls
    return world


def stand(world: World) -> tuple[Any, ...]:
    """Everything that a fault of these kinds can touch."""
    camera: Any = world.camera
    receiver, line, gauge, thermal = (
        world.deeds.gps.receiver, world.deeds.gps.line, world.battery.gauge, world.deeds.thermal,
    )  # fmt: skip
    cell = gauge.cell
    return (
        receiver.has_fix, receiver.view, receiver.frozen, receiver.weeks_off, receiver.spoofer, receiver._shift_m,
        receiver._cold_s, line.garbage, line.ubx, line.silent, line.wrong_speed, gauge.says_percent, gauge.surge_ma,
        gauge.gone, round(cell.share, 3), cell.temperature_c, cell.cycles, thermal.celsius, thermal.heat, thermal.gone,
        world.deeds.clock_offset_ns, dict(camera.levels),
    )  # fmt: skip


@pytest.mark.parametrize("fault", MINE, ids=lambda one: one.name)
def test_every_fault_does_something_and_one_that_ends_leaves_the_world_as_it_was(paper: World, fault: Fault) -> None:
    camera: Any = paper.camera
    for line in ("record_button", "function", "lightbar"):
        paper.deeds.hands.line(line, active=False)
    before, said = stand(paper), len(camera.said)
    paper.faults.begin(paper, fault.name)
    assert stand(paper) != before or len(camera.said) > said
    if fault.end is not None:
        paper.faults.end(paper, fault.name)
        if fault.name == "battery.old":  # a cell that was aged and made young again is as new as its design says
            return
        assert stand(paper) == before


def test_a_real_receivers_log_has_only_faults_of_its_line(paper: World) -> None:
    class Log(ReceiverControls):
        plays_log = True

    log: Any = Log(RouteReceiver(), ReceiverLine())
    paper.deeds.gps = log
    with pytest.raises(WorldRefused, match="only faults of its line"):
        paper.faults.begin(paper, "gps.teleport")
    paper.faults.begin(paper, "gps.garbage", 20)
    assert paper.deeds.gps.line.garbage == 0.2


# --- the real camera --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    directory = Path(tempfile.mkdtemp(prefix="alone-"))  # not tmp_path: a Unix socket's path has at most 107 bytes
    try:
        with camera_alone(directory / "out") as one:
            one.act(deed("press record button twice"))
            one.wait_for("recording", 20)
            yield one
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def steps(world: World) -> set[str]:
    """Causes of the clock steps in the camera's device log."""
    found = set()
    for place in world.log.places:
        for path in place.glob("*-log-*.evidence"):
            for item in Splitter().feed(path.read_bytes()):
                if isinstance(item, StatementBytes):
                    statement = decode(parse_signed(item.data).payload)
                    if isinstance(statement, ClockStep):
                        found.add(statement.cause)
    return found


def until_step(world: World, cause: str, within_s: float = 20.0) -> None:
    end_s = world.now_s() + within_s
    while cause not in steps(world):
        assert world.now_s() < end_s, f"no step {cause}: {steps(world)}"
        world.pause(0.25)


@pytest.mark.requirement("R5", "R22", "R29")
def test_many_faults_at_once_are_each_told_and_stop_no_recording(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    for name in ("heat.hot", "battery.gauge_lost", "gps.silent", "clock.jump"):
        world.faults.begin(world, name)
    told.wait(
        ("thermal", "critical"), ("low_power", "heat"), ("fault", "battery"), ("fault", "gps"),
        ("clock", "stepped_forward"),
    )  # fmt: skip
    for name in tuple(world.faults.lasting):
        world.faults.end(world, name)
    told.wait(("clock", "stepped_back"), ("queue", "clock_stepped"))
    assert world.status.recording == recording


@pytest.mark.requirement("R5")
def test_a_receiver_with_another_time_is_noted_and_not_followed(world: World) -> None:
    told = Told(world)
    world.faults.begin(world, "gps.week_rollover")
    until_step(world, "gnss_went_back")
    world.faults.end(world, "gps.week_rollover")
    world.faults.begin(world, "gps.spoof_time")
    until_step(world, "gnss_jumped")
    world.faults.end(world, "gps.spoof_time")
    assert ("clock", "stepped_forward") not in told.words()
    assert ("clock", "stepped_back") not in told.words()


@pytest.mark.requirement("R12", "R18", "R19")
def test_a_run_and_a_struggle_are_no_crash_and_a_fall_is_noticed(world: World) -> None:
    told = Told(world)
    for name in ("motion.run", "motion.struggle"):
        world.faults.begin(world, name)
        world.pause(1.2)
        world.faults.end(world, name)
    assert not {event for event, _ in told.words()} & {"trigger", "dislodged"}
    world.faults.begin(world, "motion.fall")
    told.wait(("dislodged", None))
    world.faults.end(world, "motion.fall")
    world.faults.begin(world, "motion.crash")
    told.wait(("trigger", None))


@pytest.mark.requirement("R13", "R15", "R29")
def test_noise_on_the_lines_neither_stops_nor_splits_a_recording(world: World) -> None:
    recording, told = world.status.recording, Told(world)
    world.faults.begin(world, "lines.lightbar_bounce", 2)
    assert ("trigger", None) not in told.words()
    world.faults.begin(world, "lines.chatter", 3)
    told.wait(("line_fault", "chatter"))
    world.faults.begin(world, "lines.lightbar_dips", 2)
    told.wait(("trigger", None))
    world.faults.end(world, "lines.lightbar_dips")
    world.look()
    assert world.status.recording == recording
    assert "recording_closed" not in {event for event, _ in told.words()}

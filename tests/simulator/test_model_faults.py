"""Faults of receiver, movement, battery, heat, lines and clock: what they do, and what a real camera does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_alone import Told, camera_that_records
from paper_world import make_agency, paper_world

from simulator.faults import catalogue
from simulator.faults.fault import Fault
from simulator.receiver import RouteReceiver
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine
from simulator.run_errors import WorldRefused
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


# --- the real camera, in real time; `test_bad_day` has the rest in virtual time ---------------------------------------


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with camera_that_records() as one:
        yield one


@pytest.mark.requirement("R5", "R22", "R29")
def test_many_faults_at_once_are_each_told_by_the_real_drivers_and_stop_no_recording(world: World) -> None:
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

"""The same faults of station and network in virtual time: one process, the same sentences (R6, R30, R34, R38)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.progress import Progress
from simulator.run_errors import WorldRefused
from simulator.running import Order
from simulator.scenario import find_scenario, load_scenario
from simulator.virtual_run import VirtualRunning, virtual_running
from simulator.words import deed

WITHIN_S = 600
"""Of virtual time."""
LIES = ("station.status_503", "station.time_out", "station.torn_receipt", "station.incomplete", "station.replayed")
LINES = ("network.bad_line", "network.cut", "network.reset", "network.half_open", "dock.no_power")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualRunning]:
    out = tmp_path_factory.mktemp("virtual") / "run"
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        order = Order(load_scenario(find_scenario("quick")), out, seed=7)
        with virtual_running(order, Progress(nowhere)) as found:
            found.world.wait_for("self-test done", WITHIN_S)
            recorded(found)  # there is an earlier receipt, which may be replayed
            found.world.act(deed("dock"))
            found.world.wait_for("offloaded", WITHIN_S)
            yield found


def recorded(run: VirtualRunning) -> str:
    """Out of the dock, a new recording; its file."""
    world = run.world
    world.act(deed("undock"))
    world.wait_for("undocked", WITHIN_S)
    world.act(deed("press record button twice"))
    world.wait_for("recording", WITHIN_S)
    world.pause(2.0)
    world.act(deed("hold record button"))
    world.wait_for("stopped", WITHIN_S)
    world.pause(1.0)
    return max(one.name for one in world.camera.spool().files if one.stream == "recording")


def until(run: VirtualRunning, what: Callable[[], object], why: str) -> None:
    deadline_s = run.world.now_s() + WITHIN_S
    while not what():
        assert run.world.now_s() < deadline_s, why
        run.world.pause(0.5)
        run.world.look()


@pytest.mark.requirement("R6", "R30", "R34", "R38")
@pytest.mark.parametrize("name", LIES)
def test_a_lie_deletes_nothing_and_the_truth_mends_it(run: VirtualRunning, name: str) -> None:
    world = run.world
    file = recorded(run)
    before = world.station.told()["lies"]
    world.faults.begin(world, name)
    world.act(deed("dock"))
    until(run, lambda: world.station.told()["lies"] > before, f"{name}: it is told")
    world.pause(5.0)
    if name != "station.status_503":
        assert any(one.name == file for one in world.camera.spool().files), "it is on the card"
    world.faults.end(world, name)
    world.wait_for("offloaded", WITHIN_S)
    assert (run.layout.store / f"{file}.receipt.p7s").exists()


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize("name", LINES)
def test_a_broken_line_costs_nothing(run: VirtualRunning, name: str) -> None:
    world = run.world
    file = recorded(run)
    fault = world.faults.begin(world, name)
    world.act(deed("dock"))
    world.pause(5.0)
    if name == "network.cut":
        assert any(one.name == file for one in world.camera.spool().files), "it is on the card"
    if fault.end is not None:
        world.faults.end(world, name)
    world.wait_for("offloaded", WITHIN_S)
    assert (run.layout.store / f"{file}.receipt.p7s").exists()


@pytest.mark.parametrize("name", ["process.hang_agent", "process.kill_broker", "network.broker_cut"])
def test_what_one_process_cannot_have_is_refused_with_a_sentence(run: VirtualRunning, name: str) -> None:
    with pytest.raises(WorldRefused, match=r"this world|in virtual time"):
        run.world.faults.begin(run.world, name)


@pytest.mark.requirement("R6")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dock.other_agency", "other_agency"),
        ("dock.expired_certificate", "expired"),
        ("dock.other_system", "other_system"),
    ],
)
def test_a_stranger_in_the_stations_place_gets_not_one_byte(run: VirtualRunning, name: str, kind: str) -> None:
    world = run.world
    recorded(run)
    world.faults.begin(world, name)
    world.act(deed("dock"))
    world.pause(30)
    there = run.layout.out / f"station-{kind}"
    assert (there / "store").is_dir()
    assert not [path for path in there.rglob("*.evidence*") if path.is_file()]
    world.faults.end(world, name)
    world.wait_for("offloaded", WITHIN_S)

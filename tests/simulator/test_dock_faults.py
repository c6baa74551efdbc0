"""The dock's contact, power and network go wrong under a real camera, agent and station (R8, R30, R38).

One running world for the whole file: a camera that has recorded, and a dock that behaves worse and worse.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_time import comes_first

from simulator.dock_contact import bounces
from simulator.progress import Progress
from simulator.running import Order, Running, running
from simulator.scenario import find_scenario, load_scenario
from simulator.words import deed

WITHIN_S = 240


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A camera that is ready, out of the dock, with one recording on its card."""
    out = tmp_path_factory.mktemp("dock") / "run"
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, comes_first():
        order = Order(load_scenario(find_scenario("quick")), out)
        with running(order, Progress(nowhere)) as found:
            found.world.wait_for("self-test done", WITHIN_S)
            record(found)
            yield found


def record(run: Running) -> None:
    for words, state in (("press record button twice", "recording"), ("hold record button", "stopped")):
        run.world.act(deed(words))
        run.world.wait_for(state, WITHIN_S)
        run.world.pause(1.0)  # nobody presses the next button at once


def until(run: Running, what: Callable[[], object], why: str) -> None:
    deadline_s = run.world.now_s() + WITHIN_S
    while not what():
        assert run.world.now_s() < deadline_s, f"{why}: {run.programs.agent.tail()}"
        run.world.pause(0.1)
        run.world.look()


def told(run: Running, event: str) -> int:
    """How often the device log says so."""
    return sum(1 for entry in run.world.log.look() if entry.event == event)


def recordings(run: Running) -> set[str]:
    """Recordings that wait on the camera."""
    return {one.name for one in run.world.camera.spool().files if one.stream == "recording"}


def test_a_bouncing_contact_ends_as_it_should_and_never_later_than_it_may() -> None:
    for seed in range(200):
        for closes in (True, False):
            edges = bounces(seed, closes=closes, for_s=0.15)
            levels = [level for _, level in edges]
            assert levels[0] is levels[-1] is closes
            assert all(one is not other for one, other in itertools.pairwise(levels))
            assert [at for at, _ in edges] == sorted(at for at, _ in edges)
            assert edges[-1][0] <= 0.15
    assert bounces(7, closes=True, for_s=1) == bounces(7, closes=True, for_s=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.requirement("R8", "R30", "R38")
def test_a_bad_dock_costs_no_file_and_no_receipt(run: Running) -> None:
    world = run.world
    (first,) = recordings(run)

    # The dock has no network. The contact bounces, and the camera docks once.
    world.faults.begin(world, "dock.no_network")
    world.faults.begin(world, "dock.bounces_in")
    world.wait_for("docked", WITHIN_S)
    until(run, lambda: "offload failed" in run.programs.agent.text(), "the agent says that nobody answers")
    assert recordings(run) == {first}, "nothing goes without a receipt"

    # There is a network, and the camera is torn out in the middle of the upload.
    world.faults.begin(world, "dock.out_in_mid_upload", 40)
    world.faults.end(world, "dock.no_network")
    world.wait_for("undocked", WITHIN_S)
    until(run, lambda: "not docked" in run.programs.agent.text(), "the agent says why it stopped")
    assert recordings(run) == {first}
    assert not (run.layout.store / first).exists()

    # A dock without power: offloaded all the same.
    world.faults.begin(world, "dock.no_power")
    world.act(deed("dock"))
    world.deeds.battery.set(status="discharging")
    until(run, lambda: (run.layout.store / f"{first}.receipt.p7s").exists(), "the first arrives at last")
    world.wait_for("offloaded", WITHIN_S)
    assert world.status.docked
    world.faults.end(world, "dock.no_power")

    # Out again, bouncing: undocked once. A second dock takes the next recording, proof and all.
    world.faults.begin(world, "dock.bounces_out")
    world.wait_for("undocked", WITHIN_S)
    world.faults.begin(world, "dock.two_docks")
    record(run)
    world.act(deed("dock"))
    world.wait_for("offloaded", WITHIN_S)
    at_first, at_second = ({one.name for one in place.glob("SIM-0001-00000?.evidence")} for place in run.layout.stores)
    assert (at_first, at_second) == ({first}, {first.replace("000001", "000002")})
    assert told(run, "docked") == 3
    assert told(run, "undocked") == 2
    assert set(run.end().values()) == {0}

"""Virtual time: the real programs in one process, on a clock that stands still while anybody works."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest

from hal import program_time
from simulator.progress import Progress
from simulator.running import Order
from simulator.scenario import find_scenario, load_scenario
from simulator.turns import NothingWillHappen
from simulator.virtual_run import run_virtual, virtual_running
from simulator.virtual_time import BOOTED_NS, NS_PER_S, VirtualStage, virtual_time

UTC_NS = 1_800_000_000 * NS_PER_S


def quick(out: Path, seed: int = 7) -> Order:
    return Order(load_scenario(find_scenario("quick")), out, seed=seed)


def test_an_hour_passes_at_once_and_the_timers_in_it_come_in_their_order() -> None:
    with virtual_time(UTC_NS) as virtual:
        came: list[tuple[int, str]] = []
        loop = virtual.loop
        for delay_s, name in ((1800, "half"), (0.25, "first"), (3599.5, "last")):
            loop.call_later(delay_s, lambda name=name: came.append((virtual.boottime_ns() - BOOTED_NS, name)))
        began_s = time.monotonic()  # of this machine
        VirtualStage(virtual).sleep(3600)
        assert [name for _, name in came] == ["first", "half", "last"]
        assert [round(at_ns / 1e9, 6) for at_ns, _ in came] == [0.25, 1800, 3599.5]
        assert round((program_time.utc_ns() - UTC_NS) / 1e9, 6) == 3600
        assert time.monotonic() - began_s < 3600, "it did not pass at all"


def test_the_clock_stands_still_while_a_thread_works_and_goes_on_while_it_sleeps() -> None:
    with virtual_time(UTC_NS) as virtual:

        def work() -> tuple[int, int, int]:
            threading.Event().wait(0.05)  # real work that takes a while
            before_ns = program_time.boottime_ns()
            program_time.sleep(7)
            after_ns = program_time.boottime_ns()
            threading.Event().wait(0.05)
            return before_ns, after_ns, program_time.boottime_ns()

        async def together() -> tuple[int, int, int]:
            asyncio.get_running_loop().call_later(0.001, lambda: None)  # something that could make time move
            return await asyncio.to_thread(work)

        before_ns, after_ns, end_ns = virtual.loop.run_until_complete(together())
        assert before_ns == BOOTED_NS
        assert round((after_ns - before_ns) / 1e9, 6) == 7
        assert end_ns == after_ns


def test_what_threads_say_is_heard_in_one_order_however_fast_they_are() -> None:
    def run(slow_s: float) -> list[str]:
        heard: list[str] = []
        with virtual_time(UTC_NS) as virtual:

            async def play() -> None:
                loop = asyncio.get_running_loop()

                def thread() -> None:
                    threading.Event().wait(slow_s)
                    loop.call_soon_threadsafe(heard.append, "thread")

                job = asyncio.ensure_future(asyncio.to_thread(thread))
                for number in range(3):
                    loop.call_soon(heard.append, f"loop {number}")
                await asyncio.sleep(0)
                loop.call_later(0.001, heard.append, "timer")
                await job
                await asyncio.sleep(0.002)

            virtual.loop.run_until_complete(play())
        return heard

    assert run(0.0) == run(0.03) == ["loop 0", "loop 1", "loop 2", "thread", "timer"]


def test_a_loop_in_which_nothing_will_ever_happen_says_so() -> None:
    with virtual_time(UTC_NS) as virtual, pytest.raises(NothingWillHappen):
        virtual.loop.run_until_complete(asyncio.Event().wait())
    assert abs(program_time.utc_ns() - time.time_ns()) < 60 * NS_PER_S  # the machine's time is back


@pytest.mark.requirement("R38")
def test_the_same_seed_gives_the_same_timeline_byte_for_byte_and_another_seed_another(tmp_path: Path) -> None:
    reports = [run_virtual(quick(tmp_path / str(n), seed), Progress()) for n, seed in enumerate((7, 7, 8))]
    one, same, other = ((tmp_path / str(n) / "timeline.jsonl").read_bytes() for n in range(3))
    assert [report["ok"] for report in reports] == [True, True, True], reports
    assert one == same
    assert one != other
    lines = [json.loads(line) for line in one.splitlines()]
    assert {line["kind"] for line in lines} == {"notice", "indicator", "offload", "statement"}
    times = [line["t_ns"] for line in lines]
    assert times == sorted(times)
    media = [line for line in lines if line.get("object") == "media"]
    assert len(media) == sum(len_of["fragments"] for len_of in reports[0]["recordings"])
    assert all(line["video_bytes"] > 1000 for line in media)
    # Two runs share no key, nonce or sealed byte: the sealed files differ although nothing that they say does.
    stored = [sorted((tmp_path / str(n) / "station/store").glob("SIM-0001-0*.evidence")) for n in range(2)]
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(*stored, strict=True))


@pytest.mark.requirement("R29")
def test_a_power_cut_in_virtual_time_leaves_a_recording_that_goes_on_and_verifies(tmp_path: Path) -> None:
    with virtual_running(quick(tmp_path / "run"), Progress()) as run:
        world = run.world
        world.wait_for("self-test done", 60)
        world.deeds.hands.press_twice("record_button")
        world.wait_for("recording", 5)
        world.pause(4)
        world.camera.cut_power()
        world.wait_for("recording", 20)
        world.pause(2)
        entries = {entry.event for entry in world.log.look()}
        assert {"recording_recovered", "recording_opened"} <= entries
        assert world.camera.starts == 2
        assert run.end()["device"] == 0


@pytest.mark.requirement("R38", "R30")
def test_a_station_that_dies_while_it_stores_costs_nothing_in_virtual_time_either(tmp_path: Path) -> None:
    with virtual_running(quick(tmp_path / "run"), Progress()) as run:
        world = run.world
        world.wait_for("self-test done", 60)
        world.deeds.hands.press_twice("record_button")
        world.wait_for("recording", 5)
        world.pause(3)
        world.deeds.hands.hold("record_button", world.deeds.hands.hold_s)
        world.deeds.hands.line("record_button", active=False)
        world.pause(0.3)
        world.deeds.hands.press("record_button")
        world.wait_for("stopped", 30)
        world.faults.begin(world, "station.killed_storing")
        world.deeds.hands.line("dock", active=True)
        world.wait_for("offloaded", 120)
        assert world.station.told()["lies"] == 0  # it is a new one, which does not know that it lied
        assert len(list(run.layout.store.glob("SIM-0001-0*.evidence.receipt.p7s"))) == 1

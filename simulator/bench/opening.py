"""Opens the world of one test, in virtual time or with processes in real time, and closes it whatever happened."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from simulator.agency import make_keys
from simulator.bench.hand import Hand
from simulator.bench.marker import Setting
from simulator.bench.station import Station
from simulator.bench.world import World
from simulator.layout import RunLayout
from simulator.progress import Progress
from simulator.run_facts import RunFiles
from simulator.running import Order
from simulator.seen import Seen
from simulator.world import World as Inner

__all__ = ["make_keys", "opened"]


@contextlib.contextmanager
def opened(setting: Setting, out: Path, keys: Path) -> Iterator[World]:
    """A world whose camera has done its self-test. Files lie in `out`; `keys` is what `make_keys` made.

    Raises `RunError`, `AssertionError`.
    """
    order = Order(setting.scenario, out, seed=setting.scenario.seed, keys=keys, plain_card=True)
    progress = Progress(io.StringIO())
    with (_real if setting.real else _virtual)(order, progress) as world:
        world.camera.wait_for("self-test done")
        yield world


@contextlib.contextmanager
def _virtual(order: Order, progress: Progress) -> Iterator[World]:
    from simulator.virtual_run import virtual_running

    with virtual_running(order, progress) as run:
        hand = _hand(run.world, run.layout, real=False)
        yield World(hand, Station(hand, run.dock.stop_station, run.dock.start_station))


@contextlib.contextmanager
def _real(order: Order, progress: Progress) -> Iterator[World]:
    from simulator.bench.broker import connected
    from simulator.running import running

    with running(order, progress) as run:
        hand, station = _hand(run.world, run.layout, real=True), run.programs.station

        def stop() -> None:
            run.children.stop(station)

        def start() -> None:
            run.children.on_again(station)

        with connected(run, hand) as broker:
            yield World(hand, Station(hand, stop, start), broker)


def _hand(world: Inner, layout: RunLayout, *, real: bool) -> Hand:
    return Hand(world, RunFiles(layout), Seen(world), real)

"""The thread on which the panel's world lives: it opens it, looks at it, and does what browsers ask.

One thread does it all, since a world has one pair of hands and the kernel ties the programs' lives to the thread that
started them. What can be done at once is done even while a scenario plays; the rest waits its turn.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from evidence.errors import EvidenceError
from evidence.handover import Notice, Status
from simulator.faults import catalogue
from simulator.layout import RunLayout
from simulator.panel.feed import Feed
from simulator.panel.files import Files
from simulator.panel.lamps import Lamps
from simulator.panel.opening import Opening
from simulator.panel.orders import (
    BUTTONS,
    LONGEST_PRESS_S,
    Anew,
    Do,
    FaultOrder,
    Forge,
    Line,
    NetworkOrder,
    Open,
    Order,
    Play,
    Stop,
    deed_of,
    takes_a_while,
)
from simulator.panel.snapshot import camera_now, world_now
from simulator.panel.told import Told
from simulator.playing import Player
from simulator.run_errors import RunError, WorldRefused
from simulator.run_facts import RunFiles
from simulator.running import Order as RunOrder
from simulator.running import Running, running
from simulator.scenario import Scenario, find_scenario, load_scenario

_LOOK_S: Final = 0.1
_FILES_S: Final = 0.4
Job = tuple[Order, "Future[None]"]


class _Left(Exception):  # not an error of the run: somebody wants out of what is being done
    """Leave the scenario, or this world."""


class Director:
    """Runs worlds, one after the other, until `close`."""

    def __init__(self, order: RunOrder, feed: Feed) -> None:
        self.feed = feed
        self.told = Told(feed)
        self._order = order
        self._quick: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._slow: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._wanted = threading.Event()
        self._closing = False
        self._next: Scenario | None = None
        self._anew = self._stop = self._playing = False
        self._run: Running | None = None
        self._pressed: dict[str, float] = {}
        self._files_s = 0.0
        self._thread = threading.Thread(target=self._main, name="panel-world", daemon=True)

    @property
    def layout(self) -> RunLayout | None:
        """Where the present world's files and sockets are; None while there is no world."""
        run = self._run
        return None if run is None else run.layout

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End the world and wait for the end of its programs."""
        self._closing = True
        self._wanted.set()
        self._thread.join()

    def ask(self, order: Order) -> Future[None]:
        """Do it on the world's thread. The future raises `RunError` if it cannot be done."""
        done: Future[None] = Future()
        (self._slow if takes_a_while(order) else self._quick).put((order, done))
        self._wanted.set()
        return done

    # --- on the world's thread ----------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._worlds()
        finally:
            if not self._closing:  # a mistake of ours: the page must not look as if all were well
                why = "the panel itself has failed, see the terminal where it was started; start it again"
                self.feed.set("run", {"state": "failed", "why": why})

    def _worlds(self) -> None:
        while not self._closing:
            self.feed.forget()
            self.told.begin()
            self._anew = self._stop = False
            self.feed.set("run", {"state": "starting", "title": self._order.scenario.title})
            try:
                with running(self._order, self.told) as run:
                    self._live(run)
            except (RunError, EvidenceError, OSError) as error:
                self._failed(str(error))
            finally:
                self._run = None
        self.feed.set("run", {"state": "ended"})

    def _failed(self, why: str) -> None:
        """The world is broken: say why, and wait until somebody wants a new one."""
        self.feed.set("run", {"state": "failed", "why": why})
        self.told.say("problem", why)
        while not self._closing and not self._anew:
            self._wait(1.0)
            for box in (self._quick, self._slow):
                for order, done in _all(box):
                    if isinstance(order, Anew | Play):
                        self._begin_anew(order)
                        done.set_result(None)
                    else:
                        done.set_exception(WorldRefused("this world has ended; begin a new one"))

    def _live(self, run: Running) -> None:
        self._run, self._pressed = run, {}
        self._files = Files(run.world.card.seen(run.layout.spool), run.layout.stores)
        self._opening = Opening(run.layout, run.children, self._opened)
        lamps = Lamps(run.layout.hardware_socket, lambda levels: self.feed.set("lamps", levels))
        run.world.watchers.append(self._watch)
        try:
            self.feed.set("run", {"state": "running", "title": self._order.scenario.title})
            if self._next is not None:
                scenario, self._next = self._next, None
                self._play(run, scenario)
            while not self._closing and not self._anew:
                self._wait(_LOOK_S)
                for order, done in _all(self._slow):
                    self._do(order, done)
                run.world.look()
        except _Left:
            return
        finally:
            self.feed.set("run", {"state": "ending"})
            lamps.close()

    def _wait(self, seconds: float) -> None:
        self._wanted.wait(seconds)
        self._wanted.clear()

    def _play(self, run: Running, scenario: Scenario) -> None:
        self._playing, self._stop = True, False
        self.feed.set("scenario", {"title": scenario.title, "state": "playing"})
        try:
            Player(scenario, run.world, RunFiles(run.layout).facts).play()
        except _Left:
            state = "left"
        except RunError as error:
            self.told.say("problem", str(error))
            state = "failed"
        else:
            state = "done"
        finally:
            self._playing = False
        self.feed.set("scenario", {"title": scenario.title, "state": state})
        self.told.say("step", {"done": "The scenario is over.", "left": "The scenario is left.", "failed": ""}[state])

    def _watch(self, status: Status, _: Sequence[Notice]) -> None:
        """At each look, also in the middle of a scenario."""
        run = self._run
        if run is None:
            return
        self.feed.set("camera", camera_now(status))
        self.feed.set("world", world_now(run))
        now_s = time.monotonic()
        if now_s - self._files_s > _FILES_S:
            self._files_s = now_s
            self.feed.set("files", self._files.look())
            self.feed.set("stored", self._files.recordings())
        self._opening.look()
        for line, since_s in list(self._pressed.items()):
            if now_s - since_s > LONGEST_PRESS_S:
                del self._pressed[line]
                run.world.deeds.hands.line(line, active=False)
        self.feed.set("faults", sorted(run.world.faults.lasting))
        for order, done in _all(self._quick):
            if run.world.busy and isinstance(order, Do | FaultOrder):  # one deed after the other
                self._quick.put((order, done))
            else:
                self._do(order, done)
        if self._playing:
            for order, done in _all(self._slow):
                if isinstance(order, Play | Anew):
                    self._do(order, done)
                else:
                    done.set_exception(WorldRefused("a scenario is playing: leave it first"))
        if self._closing or self._anew or (self._playing and self._stop):
            raise _Left

    def _do(self, order: Order, done: Future[None]) -> None:
        try:
            self._act(order)
        except (RunError, EvidenceError, OSError) as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _act(self, order: Order) -> None:
        assert self._run is not None, "orders are done in a world"
        world = self._run.world
        match order:
            case Line():
                world.deeds.hands.line(order.line, active=order.active)
                self._pressed.pop(order.line, None)
                if order.active and order.line in BUTTONS:
                    self._pressed[order.line] = time.monotonic()
            case Do():
                self.told.say("deed", order.words)
                world.act(deed_of(order))
            case NetworkOrder():
                order.shape(world.network)
            case FaultOrder():
                self._fault(order)
            case Play() | Anew():
                self._begin_anew(order)
            case Stop():
                self._stop = True
            case Open():
                self._opening.open(order.recording)
            case Forge():
                self._opening.forge(order.recording)

    def _begin_anew(self, order: Play | Anew) -> None:
        if isinstance(order, Play):
            self._next = load_scenario(find_scenario(order.scenario))
            self._order = replace(self._order, scenario=self._next)
        self._anew = True

    def _fault(self, order: FaultOrder) -> None:
        assert self._run is not None, "orders are done in a world"
        world = self._run.world
        if order.on:
            fault = world.faults.begin(world, order.name, order.amount)
            self.told.say("fault", f"The camera must: {fault.must}")
        else:
            world.faults.end(world, order.name)

    def _opened(self, recording: str, found: dict[str, object]) -> None:
        known = dict(self.feed.get("opened") or {})
        known[recording] = {**known.get(recording, {}), **found}
        self.feed.set("opened", known)


def _all(box: queue.SimpleQueue[Job]) -> list[Job]:
    found = []
    while True:
        try:
            found.append(box.get_nowait())
        except queue.Empty:
            return found


def fault_list() -> list[dict[str, object]]:
    """The catalogue as the page shows it."""
    return [
        {
            "name": one.name,
            "kind": one.name.partition(".")[0],
            "requirement": one.requirement,
            "does": one.does,
            "must": one.must,
            "lasts": one.end is not None,
            "amount": None
            if one.amount is None
            else {
                "unit": one.amount.unit,
                "usual": one.amount.usual,
                "least": one.amount.least,
                "most": one.amount.most,
            },
        }
        for one in catalogue().values()
    ]

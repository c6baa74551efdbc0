"""24 hours of a camera's time with faults of every kind, on virtual time: does anything grow?

Recorder, agent and station are the real ones, in one process with the world (`simulator.virtual_run`). Each hour the
camera leaves the dock, records three incidents with faults before and in them, comes back, and hands over everything
while dock, line and station fail (`day_plan`). At the end every recording must be in the station, whole and receipted,
and gone from the card.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from day_plan import Hour, Incident, hours
from day_use import DayUse

from evidence.handover import Notice
from simulator.faults import catalogue
from simulator.progress import Progress
from simulator.run_errors import CameraRefused, TookTooLong, WorldRefused
from simulator.running import Order
from simulator.scenario import Scenario, world_of
from simulator.virtual_run import VirtualRunning, virtual_running
from simulator.words import deed
from simulator.world import World

HOUR_S: Final = 3600.0
SAMPLE_S: Final = 600.0
WHOSE_EVERY: Final = 6
"""Samples from one look at whose memory it is to the next."""
LASTS_S: Final = 8.0
LASTS_AT_DOCK_S: Final = 20.0
SETTLES_S: Final = 6.0
OFFLOADED_WITHIN_S: Final = 900.0
LAST_OFFLOAD_S: Final = 7200.0
"""At the end nothing fails any more, and whatever backs off must have come back."""
STOPPED_WITHIN_S: Final = 90.0


def scenario() -> Scenario:
    """The department: a small picture, which is encoded once and repeated; a hold alone stops."""
    values = {
        "title": "A day with faults of every kind",
        "profile": {
            "keep_after_receipt_h": 0,
            "pre_event_s": 10,
            "confirm_stop_s": 0,
            "stop_reason_s": 0,
            "test_clip_s": 0,
            "category_timeout_s": 4,
        },
        "camera": {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 200_000},
        "dock": {"docked": True},
        "battery": {"percent": 100},
    }
    return world_of(values, "endurance_day")


@dataclass
class Day:
    """One day, being played."""

    run: VirtualRunning
    use: DayUse
    say: Callable[[str], None]
    sample_every_s: float = SAMPLE_S
    opened: set[str] = field(default_factory=set)
    """Recordings that the camera said it began."""
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    refused: dict[str, str] = field(default_factory=dict)
    """Faults that this world would not have, and its reason."""
    troubles: list[str] = field(default_factory=list)
    """What did not come true."""
    late_offloads: int = 0
    """Visits at which not everything was handed over in time; the next one goes on."""
    starts: int = 0
    """Of the camera: cuts of its power, and empty batteries."""
    seconds: float = 0.0
    """Of this machine's time."""
    hours: int = 0
    """Played to their end."""
    _next_s: float = 0.0
    _began_s: float = 0.0

    @property
    def world(self) -> World:
        return self.run.world

    @property
    def hour(self) -> float:
        """Since the beginning."""
        return (self.world.now_s() - self._began_s) / HOUR_S

    def play(self, count: int, most_s: float) -> None:
        """So many hours, or those that are begun within `most_s` of this machine's time."""
        ends_s = time.monotonic() + most_s
        self._began_s = self._next_s = self.world.now_s()
        self.run.camera.on_notice = self._told
        self.world.watchers.append(lambda _status, _notices: self._look())
        plan = hours(catalogue(), self.run.order.seed)
        for number, hour in enumerate(itertools.islice(plan, count)):
            if time.monotonic() > ends_s:
                break
            self._hour(hour)
            self.hours += 1
            self.world.pause(max(0.0, self._began_s + (number + 1) * HOUR_S - self.world.now_s()))
            last = self.use.samples[-1]
            self.say(
                f"hour {number + 1}: {len(self.opened)} recordings, {sum(self.faults.values())} faults, "
                f"rss {last.rss_mib:.0f} MiB, {last.descriptors} descriptors, {last.threads} threads, "
                f"{last.objects} objects, {last.card_files} files on the card"
            )
        self._dock()
        self._offloaded(LAST_OFFLOAD_S, at_last=True)
        self.use.sample(self.hour, whose=True)

    def _told(self, notice: Notice) -> None:
        if notice.event == "recording_opened" and notice.recording is not None:
            self.opened.add(notice.recording)
            self.use.recordings = len(self.opened)

    def _look(self) -> None:
        while (now_s := self.world.now_s()) >= self._next_s:
            self._next_s = now_s + self.sample_every_s
            self.use.sample(self.hour, whose=len(self.use.samples) % WHOSE_EVERY == 0)

    # --- an hour ------------------------------------------------------------------------------------------------------

    def _hour(self, hour: Hour) -> None:
        self._do("undock")
        self.world.pause(60)
        for incident in hour.incidents:
            self._incident(incident)
            self.world.pause(240)
        self._dock()
        for name in hour.at_dock:
            self._fault(name, LASTS_AT_DOCK_S)
        self._offloaded(OFFLOADED_WITHIN_S)

    def _dock(self) -> None:
        if not self.world.look().docked:
            self._do("dock")

    def _incident(self, incident: Incident) -> None:
        self._fault(incident.before, LASTS_S)
        self._do(incident.deed)
        self._until("recording", 20.0, incident.deed)
        self.world.pause(15)
        for name in incident.during:
            self._fault(name, LASTS_S)
        if incident.afterwards is not None:
            self._do(incident.afterwards)
        self.world.pause(5)
        for _ in range(3):  # a hold that a fault of its button shook, or a start that came after it
            if self.world.look().recording is None:
                return
            self._do("hold record button")
            with contextlib.suppress(TookTooLong):
                self.world.wait_for("stopped", STOPPED_WITHIN_S)
            self.world.pause(2)
        if self.world.look().recording is not None:
            self.troubles.append(f"hour {self.hour:.2f}: it records on after three holds ({incident})")

    def _do(self, text: str) -> None:
        try:
            self.world.act(deed(text))
        except (WorldRefused, CameraRefused) as error:
            self.troubles.append(f"hour {self.hour:.2f}: {text}: {error}")

    def _until(self, state: str, within_s: float, why: str) -> None:
        try:
            self.world.wait_for(state, within_s)
        except TookTooLong as error:
            self.troubles.append(f"hour {self.hour:.2f}: {why}: {error}")

    def _fault(self, name: str, lasts_s: float) -> None:
        """Begin it, let it last, and let the camera settle."""
        lasting = catalogue()[name].end is not None
        try:
            self.world.faults.begin(self.world, name, None, lasts_s if lasting else None)
            self.faults[name] += 1
        except (WorldRefused, CameraRefused) as error:
            self.refused[name] = str(error)
        self.world.pause(lasts_s)
        self.world.pause(SETTLES_S)

    def _offloaded(self, within_s: float, *, at_last: bool = False) -> None:
        until_s = self.world.now_s() + within_s
        while not self.world.is_in("offloaded", self.world.look()):
            if self.world.now_s() > until_s:
                if at_last:
                    left = ", ".join(f"{one.name} is {one.state}" for one in self.world.camera.spool().files)
                    self.troubles.append(f"at the end not everything is offloaded: {left}")
                self.late_offloads += 1
                return
            self.world.pause(10)
        self.run.dock.put_away()


def play_day(
    count: int,
    out: Path,
    *,
    seed: int,
    say: Callable[[str], None],
    traced: bool,
    sample_every_s: float = SAMPLE_S,
    most_s: float = math.inf,
) -> Day:
    """Play so many hours in the directory `out`, which holds everything afterwards. Raises `RunError`."""
    began_s = time.monotonic()
    if traced:
        tracemalloc.start(1)
    try:
        order = Order(scenario(), out, seed=seed)
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            (out.parent / f"{out.name}.log").open("w", encoding="utf-8") as log,
            virtual_running(order, Progress(log)) as run,
        ):
            day = Day(run, DayUse(run, traced=traced), say, sample_every_s)
            day.play(count, most_s)
            day.starts = run.camera.starts
            run.end()
        day.seconds = time.monotonic() - began_s
        return day
    finally:
        if traced:
            tracemalloc.stop()

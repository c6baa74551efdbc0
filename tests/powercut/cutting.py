"""Cut the power at many points of a recorded run, look at each card, and count what was lost."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from acknowledgements import Expected, Notes
from cut_disk import CutDisk
from recorded_card import RecordedCard
from write_log import MODELS, Model, Write, WriteLog

SECOND: Final = 1_000_000_000
patience = 0
"""The niceness while cards are looked at: a long run sets 19. What is recorded runs in real time, at its own."""
MOST_TOLD: Final = 5
"""Sentences about what went wrong, of each kind, that are kept."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut."""

    entries: int
    at_ns: int
    """The latest moment (CLOCK_BOOTTIME) at which the disk can have had so many entries."""
    acknowledged: bool
    """Whether it is the exact instant of an acknowledgement."""
    model: Model


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a card found."""

    wrong: tuple[str, ...] = ()
    lost_s: float = 0.0
    """Of pictures that the camera had when the power went."""


Look = Callable[[Path, Cut, Expected], Seen]


@dataclass
class Tally:
    """What a run of cuts found."""

    name: str
    cuts: int = 0
    at_acknowledgements: int = 0
    distinct: int = 0
    """Different cards: right after a flush all models leave the same one."""
    looks: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """Cuts after which something was wrong, by model."""
    worst_s: dict[str, float] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    entries: int = 0
    seconds: float = 0.0
    losses_s: list[float] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)
    """Counts of one kind of bench alone."""

    @property
    def lost(self) -> int:
        """Cuts after which something was wrong."""
        return sum(self.broken.values())

    @property
    def total(self) -> int:
        """Cards that were looked at."""
        return sum(self.looks.values())

    @property
    def worst(self) -> float:
        """Seconds of pictures lost at the worst cut."""
        return max(self.worst_s.values(), default=0.0)

    def take(self, cut: Cut, seen: Seen) -> None:
        self.looks[cut.model] += 1
        self.worst_s[cut.model] = max(self.worst_s.get(cut.model, 0.0), seen.lost_s)
        self.losses_s.append(seen.lost_s)
        if seen.wrong:
            self.broken[cut.model] += 1
            if len(self.told) < MOST_TOLD:
                self.told.append(f"entry {cut.entries}, {cut.model}: {'; '.join(seen.wrong[:3])}")


def points(notes: Notes, first: int, last: int, cuts: int, chance: random.Random) -> list[tuple[int, bool]]:
    """Where to cut, in order: half at acknowledgements as far as there are so many, the rest anywhere."""
    instants = [one for one in notes.instants() if first <= one <= last]
    exact = set(chance.sample(instants, min(len(instants), cuts // 2)))
    others = [one for one in range(first, last + 1) if one not in exact]
    anywhere = chance.sample(others, min(len(others), cuts - len(exact)))
    return sorted([(one, True) for one in exact] + [(one, False) for one in anywhere])


def cut_everywhere(
    name: str,
    card: RecordedCard,
    first: int,
    look: Look,
    *,
    cuts: int,
    seed: int,
    models: tuple[Model, ...] = MODELS,
) -> Tally:
    """Cut a finished run behind `first` entries of its log at so many points, under each model."""
    began, tally = time.monotonic(), Tally(name)
    with _behind_others():
        _cut(tally, card, first, look, cuts, seed, models)
    tally.seconds = time.monotonic() - began
    return tally


@contextlib.contextmanager
def _behind_others() -> Iterator[None]:
    """While nothing runs in real time, `patience` lets other programs go first."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, patience))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def _cut(
    tally: Tally, card: RecordedCard, first: int, look: Look, cuts: int, seed: int, models: tuple[Model, ...]
) -> None:
    name = tally.name
    chance = random.Random(f"{name} {seed}")
    notes = Notes(card.directory / "notes")
    with WriteLog(card.log) as log, CutDisk(card.directory, card.base, log) as disk:
        tally.entries = len(log.entries)
        for entries, exact in points(notes, first, len(log.entries), cuts, chance):
            disk.replay.forward(entries)
            expected = Expected.after(notes, entries)
            tally.cuts += 1
            tally.at_acknowledgements += exact
            _look_at_all(tally, disk, entries, card.last_instant_of(entries), exact, expected, look, chance, models)
        tally.facts["repaired"] = disk.repaired


def cut_over_time(
    name: str, card: RecordedCard, begun_ns: int, ended_ns: int, look: Look, *, cuts: int, seed: int
) -> Tally:
    """Cut a finished run at so many moments, evenly by the clock: what a cut costs on the average, and at worst."""
    began, tally = time.monotonic(), Tally(name)
    chance = random.Random(f"{name} {seed}")
    moments = sorted(chance.randint(begun_ns, ended_ns) for _ in range(cuts))
    notes = Notes(card.directory / "notes")
    with _behind_others(), WriteLog(card.log) as log, CutDisk(card.directory, card.base, log) as disk:
        tally.entries = len(log.entries)
        for at_ns in moments:
            disk.replay.forward(card.entries_by(at_ns))
            expected = Expected.after(notes, disk.replay.at)
            tally.cuts += 1
            _look_at_all(tally, disk, disk.replay.at, at_ns, False, expected, look, chance, MODELS)
        tally.facts["repaired"] = disk.repaired
    tally.seconds = time.monotonic() - began
    return tally


def _look_at_all(
    tally: Tally,
    disk: CutDisk,
    entries: int,
    at_ns: int,
    exact: bool,
    expected: Expected,
    look: Look,
    chance: random.Random,
    models: tuple[Model, ...],
) -> None:
    """One cut under each model. Cards that are the same, byte for byte, are looked at once."""
    known: list[tuple[list[Write], Seen]] = []
    for model in models:
        survivors = disk.replay.survivors(model, chance)
        cut = Cut(entries, at_ns, exact, model)
        seen = next((seen for one, seen in known if one == survivors), None)
        if seen is None:
            seen = _look(disk, survivors, cut, expected, look)
            known.append((survivors, seen))
            tally.distinct += 1
        tally.take(cut, seen)


def _look(disk: CutDisk, survivors: list[Write], cut: Cut, expected: Expected, look: Look) -> Seen:
    try:
        with disk.after_cut(survivors) as place:
            seen = look(place, cut, expected)
            return Seen((*expected.broken(place), *seen.wrong), seen.lost_s)
    except OSError as error:
        return Seen((f"the card cannot be mounted or read: {error}",))


def lost_seconds(instant_ns: int, begun_ns: int, ended_ns: int, durable_ns: int | None) -> float:
    """Of a recording whose pictures go from `begun_ns` to `ended_ns`: the time whose pictures a cut then costs.

    A recording that has nothing on the card loses what came since its trigger.
    """
    had_ns = min(instant_ns, ended_ns)
    return max(0.0, (had_ns - (begun_ns if durable_ns is None else durable_ns)) / SECOND)

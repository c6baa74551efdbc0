"""What happens in a day: incidents and faults, hour after hour, from a seed alone. Pure.

Each hour the camera leaves the dock, records some incidents, and comes back. Faults of the street happen between and
during incidents, faults of dock, line and station at the dock. Each kind comes once before any comes again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")
AT_DOCK: Final = frozenset({"dock", "network", "station"})
LEFT_OUT: Final = {
    "card.bit_rot": "a file that does not verify stays on the card for ever, as it must",
    "update.interrupted": "one process has no firmware to update",
    "process.kill_broker": "one process has no broker",
    "process.hang_broker": "one process has no broker",
    "process.hang_agent": "one process cannot stop its agent alone",
    "network.broker_cut": "one process has no broker",
    "network.broker_silent": "one process has no broker",
    "network.broker_late": "one process has no broker",
}
"""Faults that the day does not have, and why."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One recording: what starts it, what is done after its stop, and the faults before and during it."""

    deed: str
    afterwards: str | None
    before: str
    during: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the day."""

    incidents: tuple[Incident, ...]
    at_dock: tuple[str, ...]


STARTS: Final[Sequence[tuple[str, str | None]]] = (
    ("light bar on", "light bar off"),
    ("press record button twice", None),
    ("siren on", "siren off"),
    ("press emergency button", None),
    ("pursuit on", "pursuit off"),
    ("crash", "stand still"),
    ("door on", "door off"),
    ("gun rack on", "gun rack off"),
    ("weapon drawn", None),
)
"""Triggers, and what takes them back."""
INCIDENTS: Final = 3
DURING: Final = 2
DOCKED: Final = 2


def hours(names: Iterable[str], seed: int) -> Iterator[Hour]:
    """The hours of a day without end, with the faults of those names."""
    chance = random.Random(f"endurance {seed}")
    known = sorted(set(names) - LEFT_OUT.keys())
    docked = [name for name in known if name.partition(".")[0] in AT_DOCK]
    street = _round_and_round([name for name in known if name not in docked], chance)
    dock = _round_and_round(docked, chance)
    starts = _round_and_round(range(len(STARTS)), chance)
    while True:
        incidents = tuple(
            Incident(*STARTS[next(starts)], before=next(street), during=tuple(next(street) for _ in range(DURING)))
            for _ in range(INCIDENTS)
        )
        yield Hour(incidents, tuple(next(dock) for _ in range(DOCKED)))


def _round_and_round(things: Iterable[T], chance: random.Random) -> Iterator[T]:
    once = list(things)
    while True:
        chance.shuffle(once)
        yield from tuple(once)

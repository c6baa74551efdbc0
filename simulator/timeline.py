"""What happened in a scenario, and when: deeds, what the camera said, its lamps, its log. For people to read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from simulator.run_errors import NotAsExpected
from simulator.script import spoken

QUIET: Final = 8
"""Moments that are shown of before a silence that was longer than that."""
KEPT: Final = 20_000
"""Moments that are kept, the newest."""
BEFORE_S: Final = 10.0
"""How much of it an excerpt shows at least…"""
LONGEST_S: Final = 60.0
"""…and at most."""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """One thing that happened."""

    at_s: float
    """Since the scenario's beginning."""
    who: str
    """``script``, ``camera``, ``log``, ``lamps``, ``world``."""
    text: str


@dataclass
class Timeline:
    """Moments in the order in which they were seen."""

    moments: list[Moment] = field(default_factory=list)

    def add(self, at_s: float, who: str, text: str) -> None:
        """One more."""
        self.moments.append(Moment(round(at_s, 2), who, text))
        del self.moments[:-KEPT]

    def lines(self, moments: Iterable[Moment]) -> Iterator[str]:
        """As text, a moment a line."""
        for one in moments:
            whole_s, hundredths = divmod(round(one.at_s * 100), 100)
            yield f"{spoken(whole_s):>7}.{hundredths:02d}  {one.who:<7} {one.text}"

    def text(self, logged: Iterable[Moment] = ()) -> str:
        """All of it."""
        return "\n".join(self.lines(sorted((*self.moments, *logged), key=lambda one: one.at_s))) + "\n"

    def excerpt(self, until_s: float, deed_s: float, logged: Iterable[Moment] = ()) -> list[str]:
        """The last seconds before an instant, from the last deed on, for a person who wants to know what went wrong."""
        since_s = min(until_s - BEFORE_S, max(deed_s - 1.0, until_s - LONGEST_S))
        before = sorted(
            (one for one in (*self.moments, *logged) if one.at_s <= until_s + 0.5), key=lambda one: one.at_s
        )
        chosen = [one for one in before if since_s <= one.at_s]
        return list(self.lines(chosen or before[-QUIET:]))  # after a long silence: what came before it


def told_failure(error: NotAsExpected, out: Path) -> list[str]:
    """The last seconds before an expectation failed, and where everything lies; the sentence itself comes after it."""
    if not error.excerpt:
        return []
    return [
        f"What happened before it (all of it: {out / 'timeline.txt'}):",
        *(f"  {line}" for line in error.excerpt),
        f"What the programs wrote lies in {out / 'logs'}, the evidence in {out / 'camera' / 'spool'}",
        f"and {out / 'station' / 'store'}.",
    ]

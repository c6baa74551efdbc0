"""Whether round after round leaves recorder, agent and station as they were; and its figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from figures import record
from flatness import Growth, growth
from process_use import Use
from rounds import PROGRAMS, Rounds, play_rounds

WARM_UP: Final = 8
SETTLED: Final = 0.25
"""Of the rounds do not count for growth: caches and bounded lists (the ring's timeline has 2,000 rows) fill up."""
ALLOWED: Final = {"descriptors": 1.0, "threads": 3.0, "anon_mib": 3.0}
"""A look may fall between a log segment's end and the next one's beginning. A pool makes its threads, six at most, when
work first meets work. A leak in each round is two hundred of anything, or shows in memory from 20 KiB on."""
Row = dict[str, float | int]


def table(found: Rounds) -> list[Row]:
    """A row for each round, as in the figures."""
    return [
        {"round": number}
        | {f"{program}_{name}": _value(found.uses[program][number], name) for program in PROGRAMS for name in ALLOWED}
        for number in range(len(found.uses[PROGRAMS[0]]))
    ]


def grown(rows: Sequence[Row]) -> dict[str, Growth]:
    """By program and quantity; a round counts as an hour."""
    rounds = [float(row["round"]) for row in rows]
    return {
        f"{program}_{name}": growth(
            rounds,
            [float(row[f"{program}_{name}"]) for row in rows],
            allowed=allowed,
            warm_up_h=SETTLED * rounds[-1],
        )
        for program in PROGRAMS
        for name, allowed in ALLOWED.items()
    }


def _value(one: Use, name: str) -> float:
    return float(getattr(one, name))


def keep(rows: Sequence[Row], seconds: float, *, publish: bool) -> dict[str, Growth]:
    """Judge them and record the figures."""
    judged, count = grown(rows), len(rows) - 1
    figures: dict[str, float | int | str | bool] = {"rounds": count, "rounds_to_warm_up": WARM_UP}
    for name, one in judged.items():
        figures |= {f"{name}_first": one.first, f"{name}_last": one.last, f"{name}_flat": one.flat}
    record(
        "endurance_rounds",
        figures,
        ok=all(one.flat for one in judged.values()),
        rows=rows,
        seconds=seconds,
        publish=publish,
        command=f"make endurance PART=rounds ROUNDS={count}",
    )
    for key, value in figures.items():
        print(f"{key:<30} {value:.6g}" if isinstance(value, float) else f"{key:<30} {value}")
    return judged


def rounds(count: int, out: Path, *, publish: bool) -> bool:
    """Play them, judge them, record the figures; whether everything is flat. Raises `RunError`."""
    began_s = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    found = play_rounds(out, count, warm_up=WARM_UP, say=lambda text: print(text, flush=True))
    judged = keep(table(found), time.monotonic() - began_s, publish=publish)
    for program in PROGRAMS:
        if not judged[f"{program}_descriptors"].flat:
            before, after = found.kinds_before[program], found.kinds_after[program]
            print(f"{program}: {before} became {after}", file=sys.stderr)
    return all(one.flat for one in judged.values())

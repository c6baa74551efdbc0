"""Whether round after round leaves recorder, agent and station as they were; and its figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from figures import record
from flatness import Growth, growth
from process_use import Use
from rounds import PROGRAMS, Rounds, play_rounds

WARM_UP: Final = 8
ALLOWED: Final = {"descriptors": 1.0, "threads": 1.0, "anon_mib": 3.0}
"""A look may fall between a log segment's end and the next one's beginning, or on a thread that is about to end."""


def grown(found: Rounds) -> dict[str, Growth]:
    """By program and quantity; a round counts as an hour."""
    judged = {}
    for program in PROGRAMS:
        uses = found.uses[program]
        for name, allowed in ALLOWED.items():
            values = [_value(one, name) for one in uses]
            judged[f"{program}_{name}"] = growth([float(n) for n in range(len(uses))], values, allowed=allowed)
    return judged


def _value(one: Use, name: str) -> float:
    return float(getattr(one, name))


def rounds(count: int, out: Path, *, publish: bool) -> bool:
    """Play them, judge them, record the figures; whether everything is flat. Raises `RunError`."""
    began_s = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    found = play_rounds(out, count, warm_up=WARM_UP, say=lambda text: print(text, flush=True))
    judged = grown(found)
    figures: dict[str, float | int | str | bool] = {"rounds": count, "rounds_to_warm_up": WARM_UP}
    for name, one in judged.items():
        figures |= {f"{name}_first": one.first, f"{name}_last": one.last, f"{name}_flat": one.flat}
    table = [
        {"round": number + 1}
        | {f"{program}_{name}": _value(found.uses[program][number], name) for program in PROGRAMS for name in ALLOWED}
        for number in range(count + 1)
    ]
    flat = all(one.flat for one in judged.values())
    record(
        "endurance_rounds",
        figures,
        ok=flat,
        rows=table,
        seconds=time.monotonic() - began_s,
        publish=publish,
        command=f"make endurance PART=rounds ROUNDS={count}",
    )
    for key, value in figures.items():
        print(f"{key:<30} {value:.6g}" if isinstance(value, float) else f"{key:<30} {value}")
    for program in PROGRAMS:
        if not judged[f"{program}_descriptors"].flat:
            before, after = found.kinds_before[program], found.kinds_after[program]
            print(f"{program}: {before} became {after}", file=sys.stderr)
    return flat

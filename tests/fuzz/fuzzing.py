"""One target for so long: its corpus, then edits of it, and of what reached lines that nothing had reached before."""

from __future__ import annotations

import random
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mutate import mutated
from reached import ROOMS, Reached
from targets import SLOW_S, Target

TRACED: Final = 0.35
"""Share of the time that goes into runs whose lines are counted."""


@dataclass
class Outcome:
    """What became of one target."""

    runs: int = 0
    slowest_s: float = 0.0
    finds: dict[str, bytes] = field(default_factory=dict)
    """By what went wrong."""
    lines: int = 0
    """Of the product, that were reached at all."""
    new: list[tuple[int, bytes]] = field(default_factory=list)
    """Inputs that reached lines which the corpus does not, with how many."""


def fuzz(target: Target, seconds: float, seed: int) -> Outcome:
    """Run a target for so long: first the corpus, then edits of it and of what reached new lines."""
    chance, seeds, reached, found = random.Random(f"{target.name} {seed}"), target.seeds(), Reached(), Outcome()
    waiting, traced_s = list(seeds), 0.0
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < seconds:
        kept = bool(waiting)
        data = waiting.pop() if waiting else mutated(seeds, chance, target.mends)
        if kept or traced_s < TRACED * passed_s:
            since_s = time.monotonic()
            new = _run(target, data, found, reached)
            traced_s += time.monotonic() - since_s
            if new and not kept:
                seeds.append(data)
                found.new.append((new, data))
        else:
            _run(target, data, found, None)
    found.lines = reached.lines
    return found


def _run(target: Target, data: bytes, found: Outcome, reached: Reached | None) -> int:
    """New lines that one input reached."""
    began_s = time.process_time()
    try:
        if reached is None:
            target(data)
        else:
            reached.new_lines(lambda: target(data))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        found.finds.setdefault(_place(error), data)
    took_s = time.process_time() - began_s
    found.runs += 1
    if reached is None:
        found.slowest_s = max(found.slowest_s, took_s)
        if took_s > SLOW_S:
            found.finds.setdefault("slow", data)
    return reached.found() if reached is not None else 0


def _place(error: BaseException) -> str:
    """The error and the innermost line of the product that it went through, else of whatever it went through."""
    steps = traceback.extract_tb(error.__traceback__)
    ours = [one for one in steps if one.filename.startswith(ROOMS)]
    last = ours[-1] if ours else steps[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"

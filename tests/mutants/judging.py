"""Play scenarios against a tree with a broken firmware, and judge whether they noticed, and for the right reason."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mutant import Mutant, mutate, reason

LONGEST_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one mutant."""

    mutant: Mutant
    caught: str = ""
    """The scenario that noticed…"""
    why: str = ""
    """…and the expectation that did not come; of one that survives, what failed instead."""
    seconds: float = 0.0


def play(tree: Path, scenarios: Sequence[str], jobs: int) -> list[dict[str, Any]]:
    """Outcomes of `firsthand-sim check` of that tree's own programs, in the order of the scenarios."""
    words = ["--all"] if not scenarios else list(scenarios)
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "check", *words, "--json", "--jobs", str(jobs), "--out", "build/check"],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=LONGEST_S,
    )  # fmt: skip
    try:
        outcomes: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SystemExit(f"the scenarios could not be played: {said}") from None
    return sorted(outcomes, key=lambda one: scenarios.index(one["scenario"]) if scenarios else 0)


def judge(tree: Path, mutant: Mutant, into: Path, *, everything: bool, jobs: int) -> Judged:
    """Break a copy of the tree, let scenarios look, and say whether one noticed. Raises `mutant.Moved`."""
    began_s = time.monotonic()
    mutate(tree, mutant, into)
    failed: list[str] = []
    rounds: list[Sequence[str]] = [()] if everything else [(one,) for one in mutant.scenarios]
    for names in rounds:
        for one in play(into, names, jobs):
            why = "" if one["ok"] else reason(one["told"])
            if why and re.search(mutant.fits, why):
                return Judged(mutant, one["scenario"], why, time.monotonic() - began_s)
            if not one["ok"]:
                failed.append(f"{one['scenario']}: {why or one['told'].splitlines()[-1]}")
    why = f"failed for another reason: {'; '.join(failed)}" if failed else "nothing failed"
    return Judged(mutant, "", why, time.monotonic() - began_s)

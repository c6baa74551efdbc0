"""``firsthand-sim check``: play scenarios and say for each whether the camera did what is expected of it.

Each scenario is played by a program of its own (``firsthand-sim shift --expected-only``): in virtual time where this
simulator can (`simulator.virtual_run`), in real time otherwise or with ``--real``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from simulator.lint_command import chosen
from simulator.processes import python_module
from simulator.run_errors import BadScenario

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 64
LONGEST_S: Final = 3600.0
"""A scenario that is not over after an hour is ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one scenario went."""

    scenario: str
    file: str
    ok: bool
    wall_s: float
    """How long it took here."""
    scenario_s: float | None
    """How long it took in its own world; None if it did not come to its end."""
    out: str
    """Where its files lie."""
    told: str
    """What went wrong, in lines; empty if nothing did."""


def add_parser(commands: Any) -> None:
    """The verb's place on the command line."""
    verb = commands.add_parser(
        "check",
        help="play scenarios and say for each whether everything came as expected",
        description="Play scenarios, one line for each as it ends. When an expectation fails: its line of the script, "
        "what was expected, what is so instead, and what happened in the seconds before.",
        epilog="examples:\n  firsthand-sim check my-stop.toml\n  firsthand-sim check --all --jobs 2\n"
        "  firsthand-sim check --real quick\n\n"
        "exit code: 0 everything came as expected, 1 something did not, 64 wrong usage or a mistake in a scenario",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="TOML files, or names of bundled scenarios")
    verb.add_argument("--all", action="store_true", help="all bundled scenarios")
    verb.add_argument("--real", action="store_true", help="in real time, with the programs as processes of their own")
    verb.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="so many at the same time (default 1)")
    verb.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    verb.add_argument("--out", type=Path, default=Path("build/check"), metavar="DIR", help="default: build/check")
    verb.set_defaults(run=run)


def _jobs(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise ValueError(text)
    return value


_jobs.__name__ = "whole number from 1 to 64"


def run(options: argparse.Namespace) -> int:
    """Play all: the exit code."""
    try:
        files = chosen(options.scenarios, options.all)
    except BadScenario as error:
        print(f"firsthand-sim check: {error}", file=sys.stderr)
        return EXIT_USAGE
    virtual = not options.real and importlib.util.find_spec("simulator.virtual_run") is not None
    outcomes = []
    for one in _play_all(files, options.out, options.jobs, virtual=virtual):
        outcomes.append(one)
        if not options.json:
            print("\n".join(_lines(one)), flush=True)
    failed = sum(not one.ok for one in outcomes)
    if options.json:
        print(json.dumps([asdict(one) for one in outcomes], indent=2))
    else:
        print(f"{len(outcomes)} played, {failed} failed" if failed else f"{len(outcomes)} played, all as expected")
    return EXIT_FAILED if failed else EXIT_OK


def _play_all(files: list[Path], out: Path, jobs: int, *, virtual: bool) -> Iterator[Outcome]:
    """As they end."""
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        pairs = zip(files, _places(files, out), strict=True)
        playing = [pool.submit(_play, file, place, virtual=virtual) for file, place in pairs]
        for done in as_completed(playing):
            yield done.result()


def _places(files: list[Path], out: Path) -> list[Path]:
    """A directory for each; two files of one name do not share it."""
    places: list[Path] = []
    for file in files:
        again = sum(file.stem == before.stem for before in files[: len(places)])
        places.append(out / (f"{file.stem}-{again + 1}" if again else file.stem))
    return places


def _play(file: Path, out: Path, *, virtual: bool) -> Outcome:
    began_s = time.monotonic()
    words = ["shift", str(file), "--out", str(out), "--expected-only", "--json"]
    command = python_module("simulator", *words, *(["--deterministic"] if virtual else []))
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_S, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        code, said, told = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        code, said, told = 1, "", f"not over after {LONGEST_S:.0f} s"
    wall_s = round(time.monotonic() - began_s, 1)
    try:
        report: dict[str, Any] = json.loads(said)
    except ValueError:
        report = {}
    problems = list(report.get("problems", ()))
    ok = code == 0 and bool(report.get("ok"))
    why = "" if ok else "\n".join(problems) or _end_of(told)
    return Outcome(file.stem, str(file), ok, wall_s, report.get("scenario_s"), str(out), why)


def _end_of(told: str) -> str:
    """The excerpt and the sentence; without an excerpt the last lines."""
    lines = told.rstrip().splitlines()
    begins = next((index for index, line in enumerate(lines) if line.startswith("What happened before")), None)
    return "\n".join(lines[begins:] if begins is not None else lines[-5:])


def _lines(one: Outcome) -> list[str]:
    own = "" if one.scenario_s is None else f", {one.scenario_s:.1f} s in its own time"
    head = f"{'ok    ' if one.ok else 'FAILED'}  {one.scenario:<32} {one.wall_s:6.1f} s{own}"
    return [head, *(f"        {line}" for line in one.told.splitlines())]

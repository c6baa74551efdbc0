"""Run the benchmarks and show one table: `make bench`, one part with `make bench ONLY=verify`.

    python benchmarks/run_benchmarks.py [--only PART …] [--publish] [--list]

Each part is a program of its own in a process of its own. Figures go to build/bench.json by flat names and, with what
they were found on, to build/figures/; --publish also puts them where docs/benchmarks.md is drawn from. All of it takes
about twenty minutes; alone on the machine, else the figures are somebody else's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import figures
import results
from table import BY_NAME, PARTS, Part, seen

HERE = Path(__file__).resolve().parent


def ran(part: Part, *, publish: bool) -> bool:
    """Run one part; whether it ended as it should."""
    print(f"\n== {part.title}", flush=True)
    command = [sys.executable, str(HERE / f"{part.name}.py"), *part.arguments, *(["--publish"] if publish else [])]
    path = os.pathsep.join([str(HERE.parent), str(HERE)])
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode == 0


def lines(parts: Iterable[Part]) -> list[str]:
    """The table of what was found last, by this machine."""
    known = json.loads(results.FILE.read_text("utf-8")) if results.FILE.exists() else {}
    shown = [f"{'':76} {'aim':>8} {'seen':>14} {'':7} {'peer':>8}  the peer; command"]
    for part in parts:
        for row in part.rows:
            aim, value, verdict, peer = seen(row, known)
            beside = f"{row.peer_is}; " if row.peer_is else ""
            shown.append(f"{row.what:76} {aim:>8} {value:>14} {verdict:7} {peer:>8}  {beside}{part.command}")
    return shown


def summed_up(*, publish: bool, ok: bool) -> None:
    """One list of the figures of the table, from the last run of each part, for docs/assurance.md."""
    parts = {part: figures.published("bench").get(part.name) for part in PARTS} if publish else dict.fromkeys(PARTS)
    known = json.loads(results.FILE.read_text("utf-8")) if results.FILE.exists() else {}
    kept, aimed, met = {}, 0, 0
    for part, found in parts.items():
        told = found["figures"] if found is not None else {} if publish else known
        for row in part.rows:
            if row.figure in told:
                kept[row.figure] = told[row.figure]
                judged = row.met(told[row.figure])
                aimed, met = aimed + (judged is not None), met + bool(judged)
    figures.record("bench", {"aims": aimed, "aims_met": met, **kept}, ok=ok, publish=publish, command="make bench")


def main(words: list[str] | None = None) -> int:
    """0 if every part ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=sorted(BY_NAME), help="only these parts")
    parser.add_argument("--publish", action="store_true", help="keep the figures for docs/benchmarks.md")
    parser.add_argument("--list", action="store_true", help="show the parts, or what was found last, and run nothing")
    options = parser.parse_args(words)
    parts = [BY_NAME[name] for name in options.only] if options.only else list(PARTS)
    failed = [] if options.list else [part.name for part in parts if not ran(part, publish=options.publish)]
    if not options.list:
        summed_up(publish=options.publish, ok=not failed)
    machine = ", ".join(f"{name} {value}" for name, value in figures.machine().items())
    print("", f"# {machine}", *lines(parts), sep="\n")
    for name in failed:
        print(f"{name} did not run to its end: see above, and try `make bench ONLY={name}`", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

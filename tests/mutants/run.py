"""`make mutants`: break the firmware in one place at a time, and demand that the simulator's scenarios notice.

    .venv/bin/python tests/mutants/run.py [--list] [--all] [--jobs N] [--publish] [MUTANT …]

docs/simulator/mutants.md. Exit code: 0 all were caught, 1 one survives or the unbroken tree fails, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "benchmarks")]

import figures  # noqa: E402
from catalogue import MUTANTS  # noqa: E402
from judging import Judged, judge, play  # noqa: E402
from mutant import ROOT, Moved, Mutant, copy_tree, read, reason  # noqa: E402


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="make mutants",
        description="Copy the working tree, break the firmware in one place at a time, and play scenarios against it: "
        "one must fail, for a reason that fits, while the unbroken copy passes. Nothing of your tree is changed.",
        epilog="exit code: 0 all were caught, 1 one survives or the unbroken copy fails, 64 wrong usage",
    )
    found.add_argument("mutants", nargs="*", metavar="MUTANT", help="only these (see --list); without a name all")
    found.add_argument("--list", action="store_true", help="name the mutants, what each breaks, and who should notice")
    found.add_argument("--all", action="store_true", help="the whole scenario library for each, not only a few (long)")
    found.add_argument(
        "--jobs", type=int, default=1, choices=range(1, 65), metavar="N", help="so many at the same time"
    )
    found.add_argument("--publish", action="store_true", help="let the pages show this run: docs/figures/mutants.json")
    return found


def chosen(names: list[str]) -> list[Mutant]:
    """The mutants of these names. Raises ValueError with the nearest one."""
    known = {one.name: one for one in MUTANTS}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ": see --list"
            raise ValueError(f"no mutant is called {name!r}{hint}")
    return [known[name] for name in names] or list(MUTANTS)


def unbroken(tree: Path, mutants: list[Mutant], jobs: int, *, everything: bool) -> list[str]:
    """What goes wrong without any mutant: then nothing can be judged. It also compiles the tree, once for all."""
    names = sorted({name for one in mutants for name in one.scenarios})
    print(f"unbroken: {'all' if everything else len(names)} scenarios...", flush=True)
    outcomes = play(tree, [] if everything else names, jobs)
    return [
        f"{one['scenario']}: {reason(one['told']) or one['told'].splitlines()[-1]}" for one in outcomes if not one["ok"]
    ]


def table(judged: list[Judged]) -> str:
    """What became of all, for people."""
    width = max(len(one.mutant.name) for one in judged)
    lines = ["", f"{'mutant':<{width}}  {'R':<4} {'caught by':<28} because of"]
    lines += [
        f"{one.mutant.name:<{width}}  {one.mutant.requirement:<4} {one.caught or 'NOBODY':<28} {one.why[:150]}"
        for one in judged
    ]
    return "\n".join(lines)


def keep(judged: list[Judged], options: argparse.Namespace, seconds: float) -> None:
    """What was found, for the pages."""
    caught = sum(bool(one.caught) for one in judged)
    figures.record(
        "mutants",
        {
            "mutants": len(judged),
            "mutants_known": len(MUTANTS),
            "caught": caught,
            "survive": len(judged) - caught,
            "scenarios": "the whole library" if options.all else "those named for each mutant",
        },
        ok=caught == len(judged),
        rows=[
            {"mutant": one.mutant.name, "breaks": one.mutant.broken, "requirement": one.mutant.requirement}
            | {"caught_by": one.caught or "nobody", "seconds": round(one.seconds, 1)}
            for one in judged
        ],
        seconds=seconds,
        publish=options.publish,
        command=" ".join(["make mutants", *(["MUTANTS=--all"] if options.all else [])]),
    )


def main(words: list[str] | None = None) -> int:
    """The exit code."""
    options = parser().parse_args(words)
    try:
        mutants = chosen(options.mutants)
        for one in mutants:
            read(ROOT, one)
    except (ValueError, Moved) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1 if isinstance(error, Moved) else 64
    if options.list:
        for one in mutants:
            print(f"{one.name:<26} {one.requirement:<4} {one.broken} ({one.file}; {', '.join(one.scenarios)})")
        return 0
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="firsthand-mutants-") as place:
        tree = Path(place) / "unbroken"
        copy_tree(ROOT, tree)
        wrong = unbroken(tree, mutants, options.jobs, everything=options.all)
        if wrong:
            print("\n".join(("the unbroken tree fails, nothing can be judged:", *wrong)), file=sys.stderr)
            return 1
        judged = []
        with ThreadPoolExecutor(options.jobs) as pool:
            running = [
                pool.submit(judge, tree, one, Path(place) / one.name, everything=options.all, jobs=1) for one in mutants
            ]
            for done in as_completed(running):
                one = done.result()
                judged.append(one)
                said = f"caught by {one.caught}" if one.caught else f"SURVIVES: {one.why}"
                print(f"{len(judged):>3}/{len(mutants)} {one.mutant.name:<26} {one.seconds:5.1f} s  {said}", flush=True)
    judged.sort(key=lambda one: mutants.index(one.mutant))
    print(table(judged))
    keep(judged, options, time.monotonic() - began_s)
    alive = [one.mutant.name for one in judged if not one.caught]
    ending = f"{len(alive)} survive: {', '.join(alive)}" if alive else "all caught"
    print(f"\n{len(judged)} mutants in {time.monotonic() - began_s:.0f} s, {ending}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())

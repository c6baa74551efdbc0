"""`make fuzz SECONDS=60`: every target for that long, then a table; finds are kept under build/fuzz/.

    .venv/bin/python tests/fuzz/run.py [--seconds 60] [--seed N] [--publish] [--keep] [TARGET …]

Exit code 0 without a find, 1 with one. A find belongs into the corpus once its defect is mended. Inputs that reach
lines of the product that the corpus does not reach lie under build/fuzz/new/; `--keep` puts the small ones into the
corpus, which CI replays.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from fuzzing import Outcome, fuzz  # noqa: E402
from targets import CORPUS, TARGETS, Target  # noqa: E402

from benchmarks.figures import record  # noqa: E402

FINDS: Final = HERE.parents[1] / "build" / "fuzz"
MEMORY_BYTES: Final = 2 * 2**30
MOST_KEPT_BYTES: Final = 4096
"""Of one new input that goes into the corpus…"""
MOST_KEPT: Final = 8
"""…and so many of a target in one run."""


def _keep(target: Target, found: Outcome, *, in_corpus: bool) -> None:
    for what, data in found.finds.items():
        FINDS.mkdir(parents=True, exist_ok=True)
        path = FINDS / f"{target.name}-{_short(data)}"
        path.write_bytes(data)
        print(f"  {what}\n  kept as build/fuzz/{path.name}")
    small = sorted((one for one in found.new if len(one[1]) <= MOST_KEPT_BYTES), key=lambda one: (-one[0], len(one[1])))
    place = CORPUS / target.name if in_corpus else FINDS / "new" / target.name
    for _, data in small[:MOST_KEPT] if not found.finds else ():
        place.mkdir(parents=True, exist_ok=True)
        (place / f"lines-{_short(data)}").write_bytes(data)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of bytes from outside.")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/figures, too")
    parser.add_argument("--keep", action="store_true", help="put small inputs that reach new lines into the corpus")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(one.name for one in TARGETS))
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # a find is an exception, and never a line of the log
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))  # a MemoryError is a find
    began_s, rows, bad = time.monotonic(), list[dict[str, str | int | float]](), 0
    print(f"{'target':<20} {'runs':>9} {'a second':>9} {'slowest':>9} {'lines':>6} {'new':>5}  finds")
    for target in TARGETS:
        if args.targets and target.name not in args.targets:
            continue
        since_s = time.monotonic()
        found = fuzz(target, args.seconds, args.seed)
        took_s = time.monotonic() - since_s
        row = {
            "target": target.name,
            "runs": found.runs,
            "runs_per_s": found.runs / took_s,
            "slowest_ms": 1000 * found.slowest_s,
            "lines": found.lines,
            "new_lines": sum(new for new, _ in found.new),
            "finds": len(found.finds),
        }
        rows.append(row)
        print(
            f"{target.name:<20} {found.runs:>9} {row['runs_per_s']:>9.0f} {row['slowest_ms']:>6.0f} ms "
            f"{found.lines:>6} {row['new_lines']:>5}  {len(found.finds) or '-'}",
            flush=True,
        )
        _keep(target, found, in_corpus=args.keep)
        bad += len(found.finds)
    seconds = time.monotonic() - began_s
    total = sum(int(row["runs"]) for row in rows)
    figures = {
        "targets": len(rows),
        "runs": total,
        "finds": bad,
        "hours": seconds / 3600,
        "corpus_inputs": sum(1 for one in CORPUS.rglob("*") if one.is_file()),
        "lines_reached": sum(int(row["lines"]) for row in rows),
        "slowest_ms": max((float(row["slowest_ms"]) for row in rows), default=0.0),
    }
    print(f"{len(rows)} targets, {total} runs in {seconds / 3600:.2f} h, {bad or 'no'} finds")
    command = f"make fuzz SECONDS={args.seconds:g}"
    record("fuzz", figures, ok=not bad, rows=rows, seconds=seconds, publish=args.publish, command=command)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make fuzz SECONDS=60`: every target for that long, then a table; finds are kept under build/fuzz/.

    .venv/bin/python tests/fuzz/run.py [--seconds 60] [--seed N] [TARGET …]

Exit code 0 without a find, 1 with one. A find belongs into the corpus once its defect is mended.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from mutate import mutated  # noqa: E402
from targets import SLOW_S, TARGETS, Target  # noqa: E402

FINDS = HERE.parents[1] / "build" / "fuzz"
MEMORY_BYTES = 2 * 2**30


def fuzz(target: Target, seconds: float, seed: int) -> tuple[int, float, dict[str, bytes]]:
    """(runs, slowest in seconds, finds by what went wrong)."""
    chance, seeds = random.Random(f"{target.name} {seed}"), target.seeds()
    end_s = time.monotonic() + seconds
    runs, slowest_s, finds = 0, 0.0, dict[str, bytes]()
    waiting = list(seeds)
    while time.monotonic() < end_s:
        data = waiting.pop() if waiting else mutated(seeds, chance)
        began_s = time.process_time()
        try:
            target(data)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            finds.setdefault(f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}", data)
        took_s = time.process_time() - began_s
        runs, slowest_s = runs + 1, max(slowest_s, took_s)
        if took_s > SLOW_S:
            finds.setdefault("slow", data)
    return runs, slowest_s, finds


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of bytes from outside.")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(one.name for one in TARGETS))
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))  # a MemoryError is a find
    bad = 0
    print(f"{'target':<18} {'runs':>9} {'slowest':>9}  finds")
    for target in TARGETS:
        if args.targets and target.name not in args.targets:
            continue
        runs, slowest_s, finds = fuzz(target, args.seconds, args.seed)
        print(f"{target.name:<18} {runs:>9} {1000 * slowest_s:>6.0f} ms  {len(finds) or '-'}", flush=True)
        for what, data in finds.items():
            FINDS.mkdir(parents=True, exist_ok=True)
            path = FINDS / f"{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"  {what}\n  kept as build/fuzz/{path.name}")
        bad += len(finds)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

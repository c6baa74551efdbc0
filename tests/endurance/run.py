"""`make endurance`: does anything grow, is anything lost, when it runs for long? Figures go to build/figures/.

    .venv/bin/python tests/endurance/run.py day  [--hours 24] [--publish]
    sudo .venv/bin/python tests/endurance/run.py hour [--seconds 3600] [--publish]

`hour` is a real-time hour of 1080p30 beside processes that take every processor: no frame may be lost
(docs/design/endurance.md). Exit code 0: everything held.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(BASE / "benchmarks"), str(BASE)]

from unit_place import unit_value  # noqa: E402


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Run for long, and see whether anything grows or is lost.")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    day = parts.add_parser("day", help="a day with faults of every kind on virtual time: nothing grows")
    day.add_argument("--hours", type=int, default=24, help="of the camera's time (default: 24)")
    day.add_argument("--minutes", type=float, default=math.inf, help="begin no hour after so many real minutes")
    day.add_argument("--seed", type=int, default=1, help="another order of incidents and faults")
    day.add_argument("--whose", action="store_true", help="also tell whose memory it is (takes twice as long)")
    day.add_argument("--out", type=Path, default=BASE / "build" / "endurance" / "day", help="where its files lie")
    day.add_argument("--publish", action="store_true", help="write the figures to docs/figures too")
    rounds = parts.add_parser("rounds", help="record, dock, upload, ask, again and again: nothing stays open")
    rounds.add_argument("--rounds", type=int, default=200, help="how many, after those that warm up (default: 200)")
    rounds.add_argument("--out", type=Path, default=BASE / "build" / "endurance" / "rounds", help="where its files lie")
    rounds.add_argument("--publish", action="store_true", help="write the figures to docs/figures too")
    hour = parts.add_parser("hour", help="1080p30 in real time beside busy processes: no frame lost (as root)")
    hour.add_argument("--seconds", type=float, default=3600.0, help="how long to record (default: an hour)")
    hour.add_argument("--publish", action="store_true", help="write the figures to docs/figures too")
    args = parser.parse_args()
    if args.part == "rounds":
        _as_units()
        from rounds_judge import rounds as run_rounds

        return 0 if run_rounds(args.rounds, args.out, publish=args.publish) else 1
    if args.part == "day":
        _as_units()
        from day_judge import day as run_day

        most_s = args.minutes * 60
        good = run_day(args.hours, args.out, seed=args.seed, traced=args.whose, publish=args.publish, most_s=most_s)
        return 0 if good else 1
    if os.geteuid():
        parser.error("the card is a file system of its own: run this as root")
    from hour import hour as run_hour

    return 0 if run_hour(args.seconds, publish=args.publish) else 1


def _as_units() -> None:
    """Start again with the environment that the units give: a heap's arenas are settled before Python begins."""
    name, _, value = unit_value("Environment").partition("=")
    if os.environ.get(name) != value:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, name: value})


if __name__ == "__main__":
    sys.exit(main())

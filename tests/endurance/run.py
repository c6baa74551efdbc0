"""`make endurance`: does anything grow, is anything lost, when it runs for long? Figures go to build/figures/.

    .venv/bin/python tests/endurance/run.py day  [--hours 24] [--publish]
    sudo .venv/bin/python tests/endurance/run.py hour [--seconds 3600] [--publish]

`hour` is a real-time hour of 1080p30 beside processes that take every processor: no frame may be lost
(docs/design/endurance.md). Exit code 0: everything held.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(BASE / "benchmarks"), str(BASE)]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Run for long, and see whether anything grows or is lost.")
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    hour = parts.add_parser("hour", help="1080p30 in real time beside busy processes: no frame lost (as root)")
    hour.add_argument("--seconds", type=float, default=3600.0, help="how long to record (default: an hour)")
    hour.add_argument("--publish", action="store_true", help="write the figures to docs/figures too")
    args = parser.parse_args()
    if os.geteuid():
        parser.error("the card is a file system of its own: run this as root")
    from hour import hour as run_hour

    return 0 if run_hour(args.seconds, publish=args.publish) else 1


if __name__ == "__main__":
    sys.exit(main())

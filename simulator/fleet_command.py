"""The command line of ``firsthand-sim fleet``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from simulator.progress import Progress
from simulator.run_errors import OutRefused, RunError

_TEXT = """\
Let many simulated cameras dock at once at one real docking station (firsthand-dock station) on this computer, each with
certificates and evidence of its own, and tell one real broker as many events. At the end: receipts, throughput, the
station's memory and CPU. Without more the line is as fast as this computer; --latency, --jitter, --loss and --kbit make
it one over which cameras really come.
"""
_EXAMPLES = """\
examples:
  firsthand-sim fleet --cameras 200 --out build/fleet
  firsthand-sim fleet --cameras 50 --megabytes 1 --latency 40 --jitter 20 --loss 1 --out build/radio

exit code: 0 a valid receipt for every file and no event lost, 1 not (it says what), 64 wrong usage
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb."""
    fleet = commands.add_parser(
        "fleet",
        help="many cameras dock at once: receipts, throughput, memory",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    fleet.add_argument("--cameras", type=_count, default=200, metavar="N", help="default: 200")
    fleet.add_argument("--recordings", type=_count, default=2, metavar="N", help="of each camera; default: 2")
    fleet.add_argument("--megabytes", type=_count, default=4, metavar="N", help="of each recording; default: 4")
    fleet.add_argument("--events", type=int, default=10, metavar="N", help="MQTT events of each; 0: no broker")
    fleet.add_argument("--latency", type=_to(60_000), default=0.0, metavar="MS", help="each way, milliseconds")
    fleet.add_argument("--jitter", type=_to(60_000), default=0.0, metavar="MS", help="up to so much more")
    fleet.add_argument("--loss", type=_to(50), default=0.0, metavar="PERCENT", help="of packets, each way; up to 50")
    fleet.add_argument("--kbit", type=_to(10_000_000), default=0.0, metavar="N", help="kbit/s for all; 0: no limit")
    fleet.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    fleet.add_argument("--keep", action="store_true", help="leave cards and store in place; they are large")
    fleet.add_argument("--json", action="store_true", help="print the report as JSON")
    fleet.set_defaults(run=run)


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 5000:
        raise ValueError(text)
    return value


_count.__name__ = "whole number from 1 to 5000"


def _to(most: int) -> Callable[[str], float]:
    """A number from 0 to that."""

    def number(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:
            raise ValueError(text)
        return value

    number.__name__ = f"number from 0 to {most}"
    return number


def run(options: argparse.Namespace) -> int:
    """The exit code."""
    from simulator import fleet_run
    from simulator.fleet_line import FleetLine

    order = fleet_run.FleetOrder(
        options.cameras,
        options.recordings,
        options.megabytes,
        max(0, options.events),
        options.out.resolve(),
        FleetLine(options.latency, options.jitter, options.loss, options.kbit),
    )
    logging.basicConfig(level=logging.ERROR)  # two hundred cameras that wait are no news
    try:
        report = fleet_run.run_fleet(order, Progress(sys.stderr if options.json else sys.stdout))
    except OutRefused as error:
        print(f"firsthand-sim fleet: {error}", file=sys.stderr)
        return 64
    except (RunError, OSError) as error:
        print(f"firsthand-sim fleet: {error}", file=sys.stderr)
        return 1
    if not options.keep:
        fleet_run.clear(order.out)
    print(json.dumps(report, indent=2) if options.json else "\n".join(fleet_run.lines_of(report)))
    return 0 if report["ok"] else 1

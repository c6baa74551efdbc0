"""``firsthand-dock reconcile``: hold the cameras' logs against the store now (R38)."""

from __future__ import annotations

import argparse
import json
import sys

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb

EXIT_DISCREPANCY = 2
LONGEST_S = 24 * 3600.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="read every stored file again; may take hours")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _run(options: argparse.Namespace) -> int:
    from dock.station.reconciliation import lines_of

    print("Reading the cameras' logs and the store...", file=sys.stderr)
    report = ask(load_station(options.config), "reconcile", {"full": options.full}, timeout_s=LONGEST_S)
    print(json.dumps(report, indent=2) if options.json else "\n".join(lines_of(report)))
    return EXIT_DISCREPANCY if report["discrepancies"] else 0


VERB = Verb(
    "reconcile",
    "hold the cameras' logs against the store: missing, different, extra",
    """The running station does this each day by itself. Every recording that a camera's signed log names must be in the
    store with a receipt, and as long as the receipt says; a share of all files is read again each day. Exit status 2:
    something is missing, differs, or was never recorded.""",
    _run,
    _arguments,
)

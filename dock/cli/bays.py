"""``firsthand-dock bays``: every camera of the dock, the next one to be handed out first."""

from __future__ import annotations

import argparse
import json

import msgspec

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.station.checkout_words import BayRow
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: argparse.Namespace) -> int:
    found = ask(load_station(options.config), "bays", {})["bays"]
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        print("no camera has reported to this station yet")
    for row in msgspec.convert(found, list[BayRow]):
        print(line(row))
    return 0


def line(row: BayRow) -> str:
    """One camera in one line."""
    place = f"{row.place:>3}." if row.place is not None else "  - "
    charge = "?" if row.battery_percent is None else f"{row.battery_percent}"
    lasts = f"{row.runtime_minutes / 60:5.1f} h" if row.runtime_minutes is not None else "    ? h"
    files = "?" if row.waiting_files is None else str(row.waiting_files)
    told = "; ".join(row.findings) or "ready"
    return f"{place} {row.camera:<14} {charge:>3} % {lasts} {files:>4} files  {row.firmware:<10} {told}"


VERB = Verb(
    "bays",
    "cameras of the dock, the next to be handed out first",
    """Every camera that ever reported: its place in the order of checkout, charge, how long that lasts, files that
    wait, firmware, and what speaks against it.""",
    _run,
    _arguments,
)

"""``firsthand-dock holds``: which recordings are on hold (R35)."""

from __future__ import annotations

import argparse

import msgspec

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: argparse.Namespace) -> int:
    found = ask(load_station(options.config), "holds", {})
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    for record in found["held"]:
        for one in record["holds"]:
            print(f"{record['name']}  {one['at'][:10]}  {one['kind']}: {one['reason']}  ({one['who']})")
    for name in found["unreadable"]:
        print(f"{name} in holds/ cannot be read: its recording is on hold. Restore it from a backup.")
    if not found["held"] and not found["unreadable"]:
        print("No recording is on hold.")
    return 0


VERB = Verb(
    "holds",
    "list the recordings on hold",
    "Every recording on hold, since when, why and by whom.",
    _run,
    _arguments,
)

"""``firsthand-dock lost``: a camera is away (R11)."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("serial", help="the camera's serial")
    parser.add_argument("--stolen", action="store_true", help="stolen, not lost")
    parser.add_argument("--reason", required=True, help="who reported it, and when it was last seen")
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    arguments = {"serial": options.serial, "how": "stolen" if options.stolen else "lost", "reason": options.reason}
    done = ask(load_station(options.config), "lost", arguments, options.who)
    print(f"{done['serial']} is reported as {done['how']}: whatever it brings comes to quarantine.")
    if done["lock"]:
        print("A signed lock waits for it: at its next contact it says DO NOT USE, and deletes nothing.")
    else:
        print("No lock waits for it: station.toml has no [desk] with a command key.")
    print(f"Now {done['next']}")
    return 0


VERB = Verb(
    "lost",
    "report a camera as lost or stolen",
    """From now on whatever this camera brings is taken in by the quarantine lane: kept, verified, and never given a
    receipt that deletes. A signed lock waits for it. Revoke its certificates as well.""",
    _run,
    _arguments,
)

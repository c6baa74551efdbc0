"""Hand a supervisor's signed command to the station, which hands it to the camera."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import Any

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.errors import BadArguments
from evidence.limits import COMMAND_BYTES


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's file, and who brings it."""
    parser.add_argument("command_file", type=Path, metavar="FILE.p7s", help="from firsthand-fleet sign-command")
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def hand_over(options: argparse.Namespace, verb: str) -> dict[str, Any]:
    """Ask the station. Raises `DockError`, `EvidenceError`, OSError."""
    with options.command_file.open("rb") as file:
        document = file.read(COMMAND_BYTES + 1)
    if len(document) > COMMAND_BYTES:
        raise BadArguments(f"{options.command_file} is larger than a command can be")
    command = base64.b64encode(document).decode()
    return ask(load_station(options.config), verb, {"command": command}, options.who)

"""``firsthand-dock check-in``: a camera is handed in at the desk. Docking does it by itself."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("camera", metavar="SERIAL")


def _run(options: argparse.Namespace) -> int:
    done = ask(load_station(options.config), "check_in", {"camera": options.camera})
    print(f"{done['camera']} is handed in; if it stands in the dock with its officer signed in, it is told so")
    return 0


VERB = Verb(
    "check-in",
    "take a camera back",
    """For a camera that was not taken after all, or that is handed in at the desk. Putting it into the dock checks it
    in by itself.""",
    _run,
    _arguments,
)

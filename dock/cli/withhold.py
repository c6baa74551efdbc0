"""``firsthand-dock withhold``: keep a camera back from checkout, or put it back into use (R9)."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("camera", metavar="SERIAL")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reason", help="what is wrong with it")
    what.add_argument("--put-back", action="store_true", help="it works again: it may be handed out")


def _run(options: argparse.Namespace) -> int:
    asked = {"camera": options.camera, **({} if options.put_back else {"reason": options.reason})}
    done = ask(load_station(options.config), "withhold", asked)
    print(f"{done['camera']} {'may be handed out again' if options.put_back else 'is kept back'}")
    return 0


VERB = Verb(
    "withhold",
    "keep a camera back from checkout",
    """A camera that is kept back is handed to nobody unless a supervisor takes it on. One that was replaced in a
    shift is kept back by itself, until somebody has looked at it and puts it back.""",
    _run,
    _arguments,
)

"""``firsthand-dock hold``: keep a recording from every clean-up (R35)."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the recording, as SIM-0001-000012")
    parser.add_argument("--reason", required=True, help="whose order, which case or which request, in a sentence")
    kinds = ("litigation", "request", "internal")
    parser.add_argument("--kind", choices=kinds, default="request", help="what it is for (default: request)")
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    arguments = {"id": options.id, "reason": options.reason, "kind": options.kind}
    done = ask(load_station(options.config), "hold", arguments, options.who)
    print(f"{done['name']} is on hold ({options.kind}): nothing cleans it up until the hold is released.")
    if not done["here"]:
        print("The station does not have it yet; the hold counts from the moment that it comes in.")
    told = {
        "order": "Its camera is told at its next contact.",
        "knows": "Its camera knows already.",
        "no": "Its camera is not told: station.toml has no [desk] with a command key.",
    }
    print(told[done["camera"]])
    return 0


VERB = Verb(
    "hold",
    "keep a recording from every clean-up",
    """Puts one recording on hold for litigation, a request or an internal inquiry: neither retention nor a relay's
    clean-up touches it, at the station and at its camera, until every hold on it is released. Asks the running station,
    or works in its directory while none runs. Each hold stands in the custody ledger.""",
    _run,
    _arguments,
)

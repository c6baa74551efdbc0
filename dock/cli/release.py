"""``firsthand-dock release``: end a hold (R35)."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the recording, as SIM-0001-000012")
    parser.add_argument("--reason", required=True, help="why it need not be kept any more, in a sentence")
    kinds = ("litigation", "request", "internal")
    parser.add_argument("--kind", choices=kinds, help="which hold ends, if there are several")
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    arguments = {"id": options.id, "reason": options.reason, **({"kind": options.kind} if options.kind else {})}
    done = ask(load_station(options.config), "release", arguments, options.who)
    left = ", ".join(f"{one['kind']} ({one['reason']})" for one in done["holds"])
    print(f"Released. {done['name']} " + (f"stays on hold: {left}" if left else "is not on hold here any more."))
    if done["camera"] == "order":
        print("Its camera is told at its next contact.")
    elif done["camera"] == "keeps":
        print("Its camera keeps its own hold, which only a supervisor's command ends:")
        print("firsthand-fleet sign-command release.")
    return 0


VERB = Verb(
    "release",
    "end a hold on a recording",
    """Ends one kind of hold on one recording. What was held is not deleted by this: from now on retention counts again.
    The release and its reason stand in the custody ledger.""",
    _run,
    _arguments,
)

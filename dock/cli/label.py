"""``firsthand-dock label``: say what a recording is about, after the fact (R5, R31)."""

from __future__ import annotations

import argparse

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.verbs import Verb

_WHAT = {
    "category": "a category of the agency's profile, as use_of_force",
    "case": "the case's number",
    "cad": "the dispatch (CAD) number",
    "officer": "whose recording it is, if the camera was told another officer",
    "note": "anything else, up to 500 characters",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the recording, as SIM-0001-000012")
    for name, text in _WHAT.items():
        parser.add_argument(f"--{name}", metavar="TEXT", help=text)
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    given = {name: value for name in _WHAT if (value := getattr(options, name)) is not None}
    if given:
        done = ask(config, "label", {"id": options.id, **given}, options.who)
        print(f"{done['name']} is labelled: " + ", ".join(f"{what} {value}" for what, value in done["labels"].items()))
        if "category" in given and not done["checked"]:
            print("The category was not checked: station.toml names no profile ([desk] profile).")
        return 0
    found = ask(config, "labels", {"id": options.id})
    for one in found["labels"]:
        print(f"{one['at'][:19].replace('T', ' ')}  {one['what']}: {one['value']}  ({one['who']})")
    if not found["labels"]:
        print("No label was given at the dock.")
    if found["categories"] is not None:
        print(f"Categories of the agency's profile: {', '.join(found['categories'])}")
    return 0


VERB = Verb(
    "label",
    "give a recording a category, a case number, the right officer or a note",
    """Appends labels to a recording that is in the store; without any, lists those that it has. Nothing is edited: each
    label is a signed entry of the custody ledger, and exports show all of them with who and when. What is typed here
    stands in the ledger in the open: no names of victims or witnesses.""",
    _run,
    _arguments,
)

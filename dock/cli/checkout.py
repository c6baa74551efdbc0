"""``firsthand-dock checkout``: an officer gets a camera (R8, R9, R10, R32). PINs come by standard input, never argv."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from dock.cli.people import secret
from dock.cli.station_asker import ask
from dock.config import load_station
from dock.errors import BadArguments
from dock.station.checkout_words import CheckedOut
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--tag", metavar="UID", help="the officer's RFID tag; - reads it from standard input")
    who.add_argument("--officer", metavar="ID", help="the officer's identifier; without a PIN it counts as a claim")
    parser.add_argument("--pin-stdin", action="store_true", help="the officer's PIN is the next line of standard input")
    parser.add_argument("--shift-h", type=float, metavar="HOURS", help="the charge must last so long; default: [desk]")
    parser.add_argument("--camera", metavar="SERIAL", help="this one; default: the best")
    parser.add_argument("--replaces", metavar="SERIAL", help="this shift's camera, which does not work; give --reason")
    parser.add_argument("--reason", help="what is wrong with it, or why a supervisor takes on what is wrong")
    boss = parser.add_mutually_exclusive_group()
    boss.add_argument("--supervisor-tag", metavar="UID", help="a supervisor's tag: takes on a failed or weak camera")
    boss.add_argument("--supervisor", metavar="ID", help="the same by PIN, the next line of standard input")


def request_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the station is asked. Raises `BadArguments`, `BadPerson`."""
    if options.tag is not None and options.pin_stdin:
        raise BadArguments("--pin-stdin goes with --officer")
    if options.tag is not None:
        officer = {"tag": secret("UID of the tag") if options.tag == "-" else options.tag}
    else:
        officer = {"person": options.officer}
        if options.pin_stdin:
            officer["pin"] = _pin("PIN")
    asked: dict[str, Any] = {"officer": officer}
    for key in ("shift_h", "camera", "replaces", "reason"):
        if getattr(options, key) is not None:
            asked[key] = getattr(options, key)
    if options.supervisor_tag is not None:
        asked["supervisor"] = {"tag": options.supervisor_tag}
    elif options.supervisor is not None:
        asked["supervisor"] = {"person": options.supervisor, "pin": _pin("Supervisor's PIN")}
    return asked


def _pin(prompt: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"{prompt}: ")
    return secret(prompt)


def lines(done: CheckedOut) -> list[str]:
    """What the officer is told."""
    found = [f"{done.name}: take {done.camera}"]
    found += [f"  note: {done.camera} {warning}" for warning in done.warnings]
    if done.replaces is not None:
        found.append(f"  it takes the place of {done.replaces}, in shift {done.shift}")
    if done.spares:
        found.append(f"  spares: {', '.join(done.spares[:3])}")
    return found


def _run(options: argparse.Namespace) -> int:
    done = ask(load_station(options.config), "checkout", request_of(options))
    print("\n".join(lines(msgspec.convert(done, CheckedOut))))
    return 0


VERB = Verb(
    "checkout",
    "hand a camera to an officer",
    """Picks the best charged healthy camera, and hands it the officer's signed assignment. Refuses one that failed its
    test or would not last the shift, and says which is ready instead; a supervisor may take that on, with a reason.
    Exit status 1: refused.""",
    _run,
    _arguments,
)

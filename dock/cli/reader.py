"""``firsthand-dock reader``: hold your tag to the reader, take the camera that it says (R8, R32)."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from dock.cli.checkout import lines
from dock.cli.station_asker import ask_running
from dock.config import StationConfig, load_station
from dock.errors import StationDown, StationSaysNo
from dock.notify import notify
from dock.rfid_reader import BAUD, LineReader
from dock.station.checkout_words import CheckedOut
from dock.verbs import Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", type=Path, required=True, metavar="/dev/…", help="serial port of the reader")
    parser.add_argument("--baud", type=int, choices=sorted(BAUD), default=9600)
    parser.add_argument("--shift-h", type=float, metavar="HOURS", help="default: that of [desk]")


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    reader = LineReader(options.device, options.baud)
    print(f"firsthand-dock reader ready: {options.device}", flush=True)
    notify("READY=1")
    try:
        for uid in reader.uids():
            print(_say(config, uid, options.shift_h), flush=True)
    except KeyboardInterrupt:
        return 0
    finally:
        reader.close()
    return 0


def _say(config: StationConfig, uid: str, shift_h: float | None) -> str:
    """What to tell whoever held the tag. The UID itself is a key and is not repeated."""
    asked = {"officer": {"tag": uid}, **({"shift_h": shift_h} if shift_h is not None else {})}
    try:
        return "\n".join(lines(msgspec.convert(ask_running(config, "checkout", asked), CheckedOut)))
    except (StationSaysNo, StationDown) as error:
        return f"no camera: {error}"


VERB = Verb(
    "reader",
    "checkout by RFID tag, for as long as it runs",
    """Reads the UIDs of tags, one a line, from a reader at a serial port, and checks a camera out for each officer.
    What comes of it is printed here and shown on the dock page. The station must run.""",
    _run,
    _arguments,
)

"""`custody`: check a station's custody ledger, and show what happened to a recording."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from evidence.cli.arguments import INVALID, OK, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import plain, several
from evidence.custody_ledger import Ledger, ledger_files
from evidence.custody_words import line, values
from evidence.trust import Trust

_TEXT = """\
Check the custody ledger of a docking station, without the station: every entry is signed by a certificate of the
receipt role under the agency's root, and none is missing in the middle, over all files of the ledger. Shows each step
in plain words: when, who, what; with --about only those of one recording or camera. A ledger that was cut off at its
end looks whole: compare the hash that is printed last with one that was written down elsewhere (a hand-off has it)."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "custody",
        run,
        summary="check a station's custody ledger and show what happened to a recording",
        text=_TEXT,
        example="custody station/custody/ --root root.pem --about BC-0042-000017",
    )
    parser.add_argument("place", type=Path, metavar="LEDGER", help="the ledger's directory, or one of its files")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")
    parser.add_argument("--crl", type=Path, action="append", default=[], metavar="FILE", help="a revocation list")
    parser.add_argument("--about", metavar="ID", help="a recording's or file's name, or a camera's serial")
    parser.add_argument("--json", action="store_true", help="one JSON object for each entry, and one for the verdict")


def is_about(wanted: str | None, name: str | None, serial: str | None) -> bool:
    """Whether an entry is about a recording (with or without its ending), a file or a camera."""
    return wanted is None or wanted in (name, serial) or (name is not None and name.removesuffix(".evidence") == wanted)


def run(args: argparse.Namespace) -> int:
    """0 the ledger holds, 1 not, 2 cannot be read."""
    ledger = Ledger(ledger_files(args.place), Trust.load(args.root, args.crl))
    count = 0
    for one in ledger.entries():
        count += 1
        entry = one.statement
        if is_about(args.about, entry.name, entry.serial):
            print(msgspec.json.encode(values(entry, one.digest)).decode() if args.json else plain(line(entry)))
    if args.json:
        verdict = {"entries": count, "head": ledger.head, "whole": ledger.whole, "findings": ledger.findings}
        print(msgspec.json.encode(verdict).decode())
    else:
        print(f"{several(count, 'entry', 'entries')}, the last with SHA-256 {ledger.head}")
        if not ledger.whole:
            print("  the ledger's earlier files were not given: it is judged from here on")
    for finding in ledger.findings:
        complain(plain(finding))
    return INVALID if ledger.findings or not count else OK

"""`ledger`: who opened what with the vault's key."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.cli.arguments import INVALID, OK, UNREADABLE, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import plain, several
from evidence.errors import EvidenceError, NotEvidence
from evidence.statements import NO_HASH
from evidence.trust import Trust
from evidence.unwrap_ledger import read_ledger, signed_by

_TEXT = """\
Check an unwrap ledger (written by --ledger of export, inspect and disclose) and show it: every statement is signed by
a certificate of the export role under the agency's root, and none is missing in the middle. A ledger that was cut off
at its end looks whole: compare the hash that is printed last with one that was written down elsewhere."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "ledger",
        run,
        summary="check and show who opened what with the vault's key",
        text=_TEXT,
        example="ledger unwraps.ledger --root root.pem",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the ledger")
    parser.add_argument("--root", type=Path, required=True, metavar="PEM", help="the agency's root certificate")


def run(args: argparse.Namespace) -> int:
    """0 it holds and every run ended, 1 not, 2 cannot be read."""
    trust = Trust.load(args.root)
    head, count, finding = NO_HASH, 0, ""
    running: dict[str, str] = {}
    try:
        for statement, message, digest in read_ledger(args.file, trust):
            head, count = digest, count + 1
            what = f"{statement.at}  {signed_by(message)}  {plain(statement.user)}  {statement.verb} "
            if statement.phase == "begin":
                running[statement.run] = f"{what}{plain(statement.file)}"
            elif statement.phase == "end":
                running.pop(statement.run, None)
                print(f"{what}{plain(statement.file)}: {several(statement.count, 'object')}, {statement.outcome}")
    except NotEvidence as error:
        complain(str(error))
        return UNREADABLE
    except EvidenceError as error:
        finding = str(error)
    for text in running.values():
        print(f"{text}: begun, never ended: the last objects that it opened may not stand here")
    print(f"{several(count, 'statement')}, the last with SHA-256 {head}")
    if finding:
        print(f"  finding    {plain(finding)}")
    return INVALID if finding or running else OK

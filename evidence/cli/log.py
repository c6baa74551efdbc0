"""`log`: what one camera did, hour by hour, in sentences that a person reads."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

from evidence.cli.arguments import INVALID, OK, Parser, Verbs, add_verb, moment
from evidence.cli.terminal import plain, several
from evidence.cli.vault import add_vault_options, opened_vault
from evidence.export.decrypt import Vault
from evidence.log_entries import Entry, cuts, timeline, values, when
from evidence.log_read import read
from evidence.log_words import FILE, Language, load
from evidence.trust import Trust

_TEXT = """\
Tell what a camera did as one timeline in plain sentences: every entry of its device log and of its recordings, each
with the time that the camera claims, how sure it was and by whose word. Give it log segments, recordings, or
directories with them; copies are told once. Each file is verified as `verify` does, and nothing behind a broken rule is
told. With the vault's certificate and key the sealed details are told too (who, why, which reason); without them only
what is public. An entry that this program has no words for is shown as it stands."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "log",
        run,
        summary="tell what a camera did, as one timeline in plain words",
        text=_TEXT,
        example="log /srv/evidence --root root.pem --vault-cert vault.pem --vault-key vault.key",
    )
    parser.add_argument("places", nargs="+", type=Path, metavar="FILE", help="log segments, recordings, directories")
    parser.add_argument("--root", type=Path, required=True, help="the agency's root certificate (PEM)")
    parser.add_argument("--camera", metavar="SERIAL", help="which camera, if the files are of several")
    parser.add_argument("--recording", type=int, metavar="NUMBER", help="only what is about this recording")
    parser.add_argument("--all", action="store_true", help="also states that another entry of the same moment tells")
    add_vault_options(parser, required=False)
    parser.add_argument("--words", type=Path, default=FILE, metavar="TOML", help="another language's words")
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="judge certificates without time at this time (default: now)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, one for each entry")


def _place(one: Entry) -> str:
    """Where an entry stands: `log 3:17` is statement 17 of log segment 3."""
    stream = "log" if one.statement.stream == "log" else "rec"
    return f"{stream} {one.statement.number}:{one.statement.seq}"


def _text(entries: list[Entry], language: Language) -> None:
    boots = {boot: rank for rank, boot in enumerate(dict.fromkeys(one.statement.boot for one in entries))}
    day = ""
    for one in entries:
        at = when(one.statement, boots[one.statement.boot])
        if at[:10] != day and at[:1].isdigit():
            day = at[:10]
            print(f"--- {day} (UTC) " + "-" * 40)
        shown = at[11:] if at[:1].isdigit() else at
        print(f"{shown:<28} {_place(one):>11}  {plain(language.sentence(one.name, one.fields))}")


def run(args: argparse.Namespace) -> int:
    """0 if all files verify, 1 if not, 2 if there is nothing to tell."""
    first, more = args.places[0], len(args.places) - 1
    args.file = first if not more else Path(f"{first.name} and {more} more")  # as the ledger names it
    language, trust = load(args.words), Trust.load(args.root)
    with opened_vault(args, "log") as vault:
        return _run(args, language, trust, vault)


def _run(args: argparse.Namespace, language: Language, trust: Trust, vault: Vault | None) -> int:
    found = read(args.places, trust, vault, args.at or dt.datetime.now(dt.UTC))
    serial = found.camera(args.camera)
    entries = timeline(cuts(one for one in found.entries if one.statement.serial == serial))
    wanted = [one for one in entries if args.recording in (None, one.recording)]
    if args.json:
        for one in wanted:
            print(json.dumps(values(one, language.sentence(one.name, one.fields)), ensure_ascii=False))
        return INVALID if found.findings else OK
    _text([one for one in wanted if args.all or not one.minor], language)
    segments = sum(one.opened is not None and one.opened.stream == "log" for one in found.reports.values())
    recordings = several(len(found.reports) - segments, "recording")
    sealed = "sealed details opened" if vault is not None else "public words only: sealed details need the vault's key"
    read_from = f"{several(segments, 'log segment')} and {recordings}"
    print(f"{plain(serial)}: {several(len(wanted), 'entry', 'entries')} from {read_from}; {sealed}")
    for number in found.missing_segments:
        print(f"log segment {number} is NOT HERE: what happened then is not told")
    for finding in found.findings:
        print(f"NOT VALID: {plain(finding)}")
    if trust.simulated:
        print("SIMULATED: made under a simulated root, not evidence")
    return INVALID if found.findings else OK

"""`audit`: is everything here that the cameras ever recorded, and up to when is that proven?"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from evidence.audit import audit
from evidence.audit_facts import CameraAudit, Heap, Row
from evidence.audit_read import read_heap
from evidence.cli.arguments import INVALID, OK, UNREADABLE, Parser, Verbs, add_verb, moment
from evidence.cli.terminal import plain, several
from evidence.times import words
from evidence.timestamp import TimestampTrust
from evidence.trust import Trust

_TEXT = """\
Count what is here against the cameras' signed logs. Give it any heap: directories and files with recordings, device
log segments, receipts (*.receipt.p7s) and station contacts (*.contact.p7s), in any order, copies included. For each
camera it says which numbers are missing, forked (same number, other content), overlapping, rolled back or out of order;
up to which contact with a station completeness is proven; and what is unknown. Nobody can vouch for what came after the
last contact: a camera's card, with its log, can be cut there without a trace. So the best verdict is "complete up to".
Each file is verified as `verify` does. A deleted or absent recording is accounted for by the receipt of the store that
holds it; with --store NAME this heap is said to be all of that store, and its receipts need their files."""

HEADLINES = {"not_complete": "NOT COMPLETE", "unknown": "UNKNOWN", "complete_until_contact": "COMPLETE up to a contact"}


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "audit",
        run,
        summary="find what is missing, forked or rolled back in a heap of files",
        text=_TEXT,
        example="audit /srv/evidence card-copy --root root.pem",
    )
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="DIR", help="directory or file; directories with all below"
    )
    parser.add_argument("--root", type=Path, required=True, help="the agency's root certificate (PEM)")
    parser.add_argument("--tsa-root", type=Path, metavar="PEM", help="root certificate of the timestamp authority")
    parser.add_argument(
        "--crl", type=Path, action="append", default=[], metavar="FILE", help="revocation list (PEM or DER)"
    )
    parser.add_argument(
        "--store",
        action="append",
        default=[],
        metavar="NAME",
        help="this heap is all that this store holds (its name as receipts say it, e.g. directory:STATION-1)",
    )
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="judge certificates without time at this time (default: now)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def _merged(rows: list[Row]) -> Iterator[Row]:
    """Successive numbers in the same state as one line."""
    before: Row | None = None
    for row in rows:
        if (
            before is not None
            and replace(before, first=row.first, last=row.last) == row
            and row.first == before.last + 1
        ):
            before = replace(before, last=row.last)
            continue
        if before is not None:
            yield before
        before = row
    if before is not None:
        yield before


def lines(one: CameraAudit) -> list[str]:
    """What a person reads about one camera."""
    headline = HEADLINES[one.verdict]
    if one.proven is not None and one.verdict == "complete_until_contact":
        headline = f"COMPLETE up to {words(one.proven.at)} ({one.proven.by}), unknown after it"
    shown = [f"{one.serial}: {headline}"]
    for row in _merged(one.rows):
        what = "log segment" if row.stream == "log" else "recording"
        numbers = str(row.first) if row.first == row.last else f"{row.first}-{row.last}"
        times = [
            f"not before {row.not_before}" if row.not_before else "",
            f"not later than {row.not_later}" if row.not_later else "",
        ]
        text = f"  {what:11} {numbers:>13}  {row.state:24} {'; '.join(filter(None, times))}"
        shown.append(plain(text.rstrip()))
    if one.proven is not None:
        head = one.proven.head
        shown.append(
            plain(
                f"  proven     up to statement {head.seq} of log segment {head.segment} (camera's time "
                f"{one.proven.log_utc}), witnessed by the {one.proven.by} at {words(one.proven.at)}"
            )
        )
    shown += [f"  unknown    {plain(text)}" for text in one.unknown]
    shown += [f"  note       {plain(note)}" for note in dict.fromkeys(one.notes)]
    shown += [f"  finding    {plain(finding)}" for finding in one.findings]
    return shown


def values(one: CameraAudit) -> dict[str, Any]:
    """The same for machines."""
    return {
        "serial": one.serial,
        "verdict": one.verdict,
        "proven": msgspec.to_builtins(one.proven),
        "rows": [msgspec.to_builtins(row) for row in one.rows],
        "unknown": one.unknown,
        "notes": list(dict.fromkeys(one.notes)),
        "findings": [msgspec.to_builtins(finding) for finding in one.findings],
    }


def exit_code(heap: Heap, audits: list[CameraAudit]) -> int:
    """0 complete as far as proven, 1 anything missing, forked, rolled back or not valid, 2 nothing to judge."""
    if heap.broken or any(one.findings for one in audits):
        return INVALID
    return OK if audits else UNREADABLE


def run(args: argparse.Namespace) -> int:
    """Audit all places together."""
    trust = Trust.load(args.root, args.crl)
    authorities = TimestampTrust.load(args.tsa_root) if args.tsa_root is not None else None
    heap = read_heap(args.places, trust, now=args.at or dt.datetime.now(dt.UTC), authorities=authorities)
    audits = audit(heap, args.store)
    code = exit_code(heap, audits)
    if args.json:
        document = {
            "exit_code": code,
            "simulated": trust.simulated,
            "cameras": [values(one) for one in audits],
            "broken": [{"path": path, "why": why} for path, why in heap.broken],
            "ignored": heap.ignored,
        }
        print(json.dumps(document, indent=2))
        return code
    for one in audits:
        print("\n".join(lines(one)))
    for path, why in heap.broken:
        print(plain(f"{path}: NOT VALID: {why}"))
    if trust.simulated:
        print("SIMULATED: made under a simulated root, not evidence")
    held = (
        several(len(heap.files), "evidence file"),
        several(len(heap.receipts), "receipt"),
        several(len(heap.contacts), "contact"),
    )
    print(f"read: {', '.join(held)}; {several(len(heap.ignored), 'other file')} ignored")
    return code

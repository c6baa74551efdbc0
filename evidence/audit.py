"""Completeness: is everything here that a camera ever recorded, and up to when is that proven? (R38; pure)

The device log is the thread (`evidence.audit_log`); along it `evidence.audit_recordings` holds each number to the heap:
1. Numbers go from 1 up to the highest that any file, log entry or receipt names; each has its file here, or a receipt
   that says which store holds it, or it is missing. A receipt for a store whose whole content this heap is said to be
   (`stores`) is no excuse.
2. One number, one content: the file, the log's closing entry and the receipt name the same bytes and close hash.
3. A recording that the log does not name, although the log goes on after it, is not of this log.
4. A recovered recording's end is unknown; signs that it was cut rather than torn are findings.
5. The log head that a recording's `open` names stands in the log; openings are in the log's order of boots and clocks.
6. What the camera told a broker of its log, unsigned, must not contradict the log (`evidence.audit_claims`).
7. After the newest witnessed head everything is unknown: a tail that nobody has seen can be cut without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from evidence.audit_claims import Claim, hold_claim
from evidence.audit_facts import CameraAudit, Found, Heap, Row, Witness
from evidence.audit_log import LogView
from evidence.audit_recordings import Recordings
from evidence.handover import Contact, Receipt
from evidence.statements import NO_HASH
from evidence.times import when, words

_STATES = ("not_valid", "forked", "rolled_back", "differs", "overlapping", "out_of_order", "not_in_log", "unclosed")


def audit(heap: Heap, stores: Sequence[str] = (), claims: Sequence[Claim] = ()) -> list[CameraAudit]:
    """One audit for each camera that a file, receipt or contact names, by serial. `claims` are unsigned words."""
    serials = {one.opened.serial for one in heap.files}
    serials |= {one.serial for one in heap.receipts} | {one.serial for one in heap.contacts}
    return [_camera(serial, heap, frozenset(stores), claims) for serial in sorted(serials)]


def _camera(serial: str, heap: Heap, stores: frozenset[str], claims: Sequence[Claim]) -> CameraAudit:
    result = CameraAudit(serial)
    receipts = [one for one in heap.receipts if one.serial == serial]
    contacts = [one for one in heap.contacts if one.serial == serial]
    files = [one for one in heap.files if one.opened.serial == serial]
    logs = [one for one in files if one.opened.stream == "log"]
    log = LogView(result, logs, receipts, _witnesses(receipts, contacts), stores)
    recordings = Recordings(result, log, [one for one in files if one.opened.stream == "recording"], receipts, stores)
    recordings.check()
    nonces = {one.nonce: one for one in contacts}
    for file in (*log.segments.values(), *recordings.files.values()):
        result.rows.append(
            _row(file, result, nonces, recordings.receipts if file.opened.stream == "recording" else log.receipts)
        )
    result.proven = log.prove()
    _tell_unknown(result, log)
    for claim in claims:
        if claim.serial == serial:
            hold_claim(result, log, claim)
    result.rows.sort(key=lambda row: (row.stream, row.first))
    return result


def _witnesses(receipts: Sequence[Receipt], contacts: Sequence[Contact]) -> list[Witness]:
    found: list[Witness] = []
    for contact in contacts:
        if contact.witness is not None:
            head = contact.witness
            found.append(
                Witness(f"contact with {contact.station}", when(contact.now), head.segment, head.seq, head.hash)
            )
    for receipt in receipts:
        by, at = f"receipt of {receipt.station}", when(receipt.issued)
        if receipt.witness is not None:
            head = receipt.witness
            found.append(Witness(by, at, head.segment, head.seq, head.hash))
        if receipt.stream == "log" and receipt.verdict == "valid" and receipt.close_hash != NO_HASH:
            found.append(Witness(by, at, receipt.number, None, receipt.close_hash))
    return found


def _row(file: Found, result: CameraAudit, nonces: dict[str, Contact], receipts: dict[int, Receipt]) -> Row:
    what = "log segment" if file.opened.stream == "log" else "recording"
    kinds = {one.kind for one in result.findings if one.about == f"{what} {file.number}"}
    for kind in _STATES:
        if kind in kinds:
            state = kind.replace("_", " ")
            break
    else:
        state = "here, not closed" if file.report.unclosed else "here, recovered" if file.recovered else "here"
    nonce, receipt = file.opened.station_nonce, receipts.get(file.number)
    contact = nonces.get(nonce) if nonce is not None else None
    if contact is not None and when(file.opened.utc.latest) < when(contact.now) and file.opened.utc.source != "none":
        result.notes.append(
            f"{what} {file.number} claims to begin before the contact whose nonce it carries: its clock was behind"
        )
    covered = receipt is not None and receipt.sha256 == file.report.sha256
    return Row(
        file.opened.stream,
        file.number,
        file.number,
        state,
        not_before=f"{words(when(contact.now))}, contact with {contact.station}" if contact is not None else None,
        not_later=f"{words(when(receipt.issued))}, receipt of {receipt.station}" if covered and receipt else None,
    )


def _tell_unknown(result: CameraAudit, log: LogView) -> None:
    """Rule 7, and what lies in between."""
    for number, file in log.segments.items():
        if file.recovered and not file.ended:
            result.holes = True
            result.unknown.append(
                f"log segment {number} after {file.last.utc.latest}: it was recovered after a restart"
            )
    if not log.segments:
        result.unknown.append("everything: no segment of the device log is here")
    elif result.proven is None:
        result.unknown.append(
            "everything: no contact or receipt proves where this log stood"
            if not log.bad
            else "everything from the first broken place of the log on"
        )
    else:
        result.unknown.append(
            f"everything after log segment {result.proven.head.segment}, statement {result.proven.head.seq}"
        )
    newest = log.newest
    if newest is not None and newest.report.unclosed:
        result.unknown.append(f"log segment {newest.number} has no `close`: more may have followed")

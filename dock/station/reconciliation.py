"""Hold the logs of all cameras against the store: what is missing, what differs, what nobody ever recorded (R38).

1. A camera's own signed log says which recordings it opened and closed, with their digests (`evidence.audit` follows
   it). Each of them is in the store with a receipt, or it is *missing*.
2. What the store holds has the size and the digest that its receipt names. Sizes are compared each time; digests of a
   share of all files, so that every file is read again once in `SCRUB_DAYS` days.
3. A recording that the log does not name, although the log goes on after it, is *extra*.
4. A log that contradicts what its camera told a broker or a station of it is *broken*.
5. What the newest contact does not prove yet is *unknown*, never complete (invariant 9).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from dock.errors import BadFileName
from dock.names import EvidenceName, original_name, parse_name
from evidence import cms
from evidence.audit import audit
from evidence.audit_claims import Claim
from evidence.audit_facts import CameraAudit, Found, Gathered, Heap
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_contact, decode_receipt
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.statements import Moment
from evidence.times import when
from evidence.trust import Trust
from evidence.verify import StreamVerifier

log = logging.getLogger(__name__)
SCRUB_DAYS: Final = 30
"""Within so many days each stored file is read again, and its digest compared with its receipt."""
Kind = Literal["missing", "different", "extra", "not_valid", "log_broken"]
_KINDS: Final[dict[str, Kind]] = {
    "missing": "missing",
    "differs": "different",
    "forked": "different",
    "not_in_log": "extra",
    "not_valid": "not_valid",
    "unclosed": "not_valid",
}


class Shelf(Protocol):
    """What is asked of a store."""

    def names(self) -> Iterator[str]: ...
    def size(self, name: str) -> int | None: ...
    def read(self, name: str) -> Iterator[bytes]: ...
    def receipt(self, name: str) -> bytes | None: ...


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be."""

    serial: str
    kind: Kind
    about: str
    """`recording 12`, or a stored name."""
    text: str


class CameraCount(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's part of the report."""

    serial: str
    recordings: int
    """Stored under its name."""
    segments: int
    verdict: str
    """complete_until_contact, unknown or not_complete."""
    proven_until: Moment | None = None
    """Contact up to which nothing is missing but what a discrepancy names."""
    unknown: tuple[str, ...] = ()


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """A day's report."""

    v: Literal[1] = 1
    at: Moment
    station: str
    store: str
    cameras: tuple[CameraCount, ...]
    discrepancies: tuple[Discrepancy, ...]
    digests: int
    """Files whose digest was read again."""


def reconcile(
    store: Shelf,
    contacts: Path,
    trust: Trust,
    *,
    now: dt.datetime,
    full: bool = False,
    waits: Callable[[str], bool] = lambda _: False,
    claimed: Callable[[str], Claim | None] = lambda _: None,
) -> tuple[tuple[CameraCount, ...], tuple[Discrepancy, ...], int]:
    """Counts, discrepancies, and how many digests were read. Blocks for long. Raises OSError.

    `full` reads every file's digest again, not only the day's share. `waits` says of a stored name that its receipt is
    on the way, from an archive: that is no discrepancy. `claimed` knows where a camera said that its log stands.
    """
    cameras: dict[str, list[tuple[str, EvidenceName]]] = defaultdict(list)
    for stored in store.names():
        try:
            name = parse_name(original_name(stored))
        except BadFileName:
            continue
        cameras[name.serial].append((stored, name))
    counts: list[CameraCount] = []
    found: list[Discrepancy] = []
    digests = 0
    for serial, names in sorted(cameras.items()):
        heap = Heap(contacts=[], receipts=[])
        waiting = {f"recording {name.number}" for stored, name in names if name.stream == "recording" and waits(stored)}
        for stored, name in sorted(names):
            if waits(stored):
                continue
            digests += _take(store, stored, name, heap, found, trust, now, full=full)
        _read_contacts(contacts / serial, trust, heap)
        claim = claimed(serial)
        (result,) = audit(heap, claims=[claim] if claim is not None else []) or [CameraAudit(serial)]
        found += (one for one in _discrepancies(result) if one.kind != "missing" or one.about not in waiting)
        found += _extras(serial, heap)
        counts.append(_count(serial, names, result))
    return tuple(counts), tuple(found), digests


def _take(
    store: Shelf,
    stored: str,
    name: EvidenceName,
    heap: Heap,
    found: list[Discrepancy],
    trust: Trust,
    now: dt.datetime,
    *,
    full: bool,
) -> int:
    """One stored file into the heap; how many digests were read."""

    def wrong(kind: Kind, text: str) -> None:
        found.append(Discrepancy(serial=name.serial, kind=kind, about=stored, text=text))

    receipt = _receipt(store, stored, trust)
    if receipt is None:
        wrong("not_valid", "it has no receipt that this agency signed: it waits for one, or somebody put it there")
        return 0
    heap.receipts.append(receipt)
    if receipt.verdict != "valid":
        why = receipt.findings[0] if receipt.findings else "no finding was given"
        wrong("not_valid", f"its receipt says {receipt.verdict.replace('_', ' ')}: {why}")
    size = store.size(stored)
    if size != receipt.bytes:
        wrong("different", f"the store has {size} bytes of it, its receipt says {receipt.bytes}")
        return 0
    if name.stream == "log" and stored == name.text:
        gathered = Gathered()
        verifier = StreamVerifier(trust, name.text, now, gathered.take)
        for block in store.read(stored):
            verifier.feed(block)
        report = verifier.finish()
        if report.opened is not None:
            heap.files.append(Found(stored, report, report.opened, gathered))
        digest = report.sha256
    elif full or zlib.crc32(stored.encode()) % SCRUB_DAYS == now.toordinal() % SCRUB_DAYS:
        hashed = hashlib.sha256()
        for block in store.read(stored):
            hashed.update(block)
        digest = hashed.hexdigest()
    else:
        return 0
    if digest != receipt.sha256:
        wrong("different", "the store gives other bytes than it took in: restore it from a copy")
    return 1


def _receipt(store: Shelf, stored: str, trust: Trust) -> Receipt | None:
    data = store.receipt(stored)
    if data is None:
        return None
    try:
        message = cms.parse_signed(data)
        trust.check(message, role="receipt", at=message.signed_at)
        return decode_receipt(message.payload)
    except EvidenceError as error:
        log.error("the receipt of %s in the store does not hold: %s", stored, error)
        return None


def _read_contacts(directory: Path, trust: Trust, heap: Heap) -> None:
    for path in sorted(directory.glob("*.contact.p7s")) if directory.is_dir() else ():
        with path.open("rb") as file:
            data = file.read(SIGNED_DOCUMENT_BYTES + 1)
        try:
            message = cms.parse_signed(data)
            contact = decode_contact(message.payload)
            trust.check(message, role="receipt", at=when(contact.now))
        except EvidenceError as error:
            log.warning("%s is no witness: %s", path.name, error)
            continue
        heap.contacts.append(contact)


def _discrepancies(result: CameraAudit) -> Iterable[Discrepancy]:
    for one in result.findings:
        kind = _KINDS.get(one.kind, "log_broken")
        yield Discrepancy(serial=result.serial, kind=kind, about=one.about, text=one.text)


def _extras(serial: str, heap: Heap) -> Iterable[Discrepancy]:
    """Rule 3: the audit has only the receipts of recordings, and no receipt names what the log should."""
    named = {event.recording for file in heap.files for event in file.gathered.events if event.recording is not None}
    top = max(named, default=0)
    for receipt in heap.receipts:
        if receipt.stream == "recording" and receipt.number not in named and receipt.number < top:
            text = "the camera's log does not name it, and goes on after it"
            yield Discrepancy(serial=serial, kind="extra", about=f"recording {receipt.number}", text=text)


def _count(serial: str, names: list[tuple[str, EvidenceName]], result: CameraAudit) -> CameraCount:
    return CameraCount(
        serial=serial,
        recordings=sum(1 for _, name in names if name.stream == "recording"),
        segments=sum(1 for _, name in names if name.stream == "log"),
        verdict=result.verdict,
        proven_until=f"{result.proven.at:%Y-%m-%dT%H:%M:%S.%f}Z" if result.proven is not None else None,
        unknown=tuple(result.unknown[:16]),
    )


def lines_of(report: dict[str, Any]) -> list[str]:
    """A report as a person reads it."""
    lines = [f"{'camera':<20} {'recordings':>10} {'log':>5}  proven until"]
    for one in report["cameras"]:
        until = one.get("proven_until") or "nothing is proven yet"
        lines.append(f"{one['serial']:<20} {one['recordings']:>10} {one['segments']:>5}  {until[:19]}")
    wrong = report["discrepancies"]
    lines.append(f"{report['digests']} files were read again; {len(wrong) or 'no'} discrepancies.")
    return [*lines, *(f"{one['kind'].upper()}: {one['serial']}, {one['about']}: {one['text']}" for one in wrong)]

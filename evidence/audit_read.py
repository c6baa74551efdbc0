"""Read a heap of files for an audit: what holds becomes facts, what does not becomes a finding, the rest is named.

Documents (receipts, contacts) are read first: they are the proofs of time and of revocation for the evidence files.
Every file is read once, in bounded memory; symbolic links are not followed.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from evidence.audit_facts import Found, Gathered, Heap
from evidence.cms import SIGNED_DATA, parse_signed
from evidence.errors import EvidenceError, NotEvidence
from evidence.handover import decode_contact, decode_receipt
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.times import TimeProof, receipt_proof, when
from evidence.timestamp import SUFFIX, TOKEN_BYTES, TimestampTrust
from evidence.trust import Trust
from evidence.verify import StreamVerifier, feed_all

MOST_FILES: Final = 1_000_000
_SNIFF_BYTES: Final = 4096
_ASIDE: Final = re.compile(r"\.evidence\.(tail-[0-9]+-[0-9a-f]+|no-open(-[0-9a-f]{12})?)$")
"""What recovery set aside; never evidence (invariant 6)."""


def paths_of(places: Sequence[Path]) -> Iterator[Path]:
    """All regular files under directories, and files that were named, in order. Raises `NotEvidence`."""
    count = 0
    for place in places:
        if not place.exists():
            raise NotEvidence(f"cannot read {place}: no such file or directory")
        for path in sorted(_walk(place)) if place.is_dir() else [place]:
            count += 1
            if count > MOST_FILES:
                raise NotEvidence(f"more than {MOST_FILES} files: audit one camera's at a time")
            yield path


def _walk(directory: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise NotEvidence(f"cannot read {error.filename}: {error.strerror}") from error

    for parent, _, names in os.walk(directory, onerror=refuse):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def read_heap(
    places: Sequence[Path],
    trust: Trust,
    *,
    now: dt.datetime,
    authorities: TimestampTrust | None = None,
    told: Callable[[Path], None] = lambda _: None,
) -> Heap:
    """Read and verify everything under some places; `told` hears of each file before it is verified.

    Raises `NotEvidence` if a place or a file in it cannot be read.
    """
    heap, proofs = Heap(), list[TimeProof]()
    evidence: list[Path] = []
    for path in dict.fromkeys(paths_of(places)):
        if path.name.endswith(".p7s"):
            _take_document(path, trust, heap, proofs)
        elif path.name.endswith(SUFFIX):
            _take_token(path, authorities, heap, proofs)
        elif _ASIDE.search(path.name):
            heap.ignored.append(str(path))
        elif path.name.endswith(".evidence") or SIGNED_DATA in _read(path, _SNIFF_BYTES):
            evidence.append(path)
        else:
            heap.ignored.append(str(path))
    for path in evidence:
        told(path)
        _take_evidence(path, trust, now, proofs, heap)
    return heap


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error


def _take_document(path: Path, trust: Trust, heap: Heap, proofs: list[TimeProof]) -> None:
    """A receipt or a contact counts under the receipt role; another signed document is no matter of an audit."""
    data = _read(path, SIGNED_DOCUMENT_BYTES + 1)
    try:
        payload = parse_signed(data).payload
        if b'"kind":"receipt"' in payload:
            decode_receipt(payload)
            receipt, proof = receipt_proof(data, trust)
            heap.receipts.append(receipt)
            proofs.append(proof)
        elif b'"kind":"contact"' in payload:
            contact = decode_contact(payload)
            trust.check(parse_signed(data), role="receipt", at=when(contact.now))
            heap.contacts.append(contact)
        else:
            heap.ignored.append(str(path))
    except EvidenceError as error:
        if path.name.endswith((".receipt.p7s", ".contact.p7s")):
            heap.broken.append((str(path), str(error)))
        else:
            heap.ignored.append(str(path))


def _take_token(path: Path, authorities: TimestampTrust | None, heap: Heap, proofs: list[TimeProof]) -> None:
    if authorities is None:
        heap.ignored.append(str(path))
        return
    try:
        proofs.append(authorities.check(_read(path, TOKEN_BYTES + 1)).proof)
    except EvidenceError as error:
        heap.broken.append((str(path), str(error)))


def _take_evidence(path: Path, trust: Trust, now: dt.datetime, proofs: Iterable[TimeProof], heap: Heap) -> None:
    gathered = Gathered()
    verifier = StreamVerifier(trust, path.name, now, gathered.take)
    try:
        with path.open("rb", buffering=0) as file:
            feed_all(verifier, file)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    report = verifier.finish([one for one in proofs if one.sha256 == verifier.sha256])
    if report.opened is not None:
        heap.files.append(Found(str(path), report, report.opened, gathered))
    elif report.is_evidence or path.name.endswith(".evidence"):
        heap.broken.append((str(path), report.findings[0]))
    else:
        heap.ignored.append(str(path))

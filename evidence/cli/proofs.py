"""What stands beside a file and vouches for its time: `FILE.receipt.p7s` and `FILE.tsr`, for `verify`.

A receipt is judged under the agency's root; a timestamp only under --tsa-root, a pin of its own. What lies beside
a file and does not hold is told; with --tsa-root a timestamp that does not hold is exit code 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence.errors import EvidenceError, NotEvidence
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.times import TimeProof, receipt_proof
from evidence.timestamp import SUFFIX, TOKEN_BYTES, TimestampTrust
from evidence.trust import Trust

RECEIPT_SUFFIX = ".receipt.p7s"


@dataclass
class Proofs:
    """The proofs of time for one file, as far as they hold by themselves; whether they cover it is seen at its end."""

    found: list[TimeProof] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    """About timestamps that were asked for and do not hold."""
    timestamp: TimeProof | None = None

    def judge_cover(self, sha256: str) -> None:
        """Once the file's hash is known: a timestamp of other bytes is a finding (a receipt's is a note)."""
        if self.timestamp is not None and self.timestamp.sha256 != sha256:
            self.findings.append("the timestamp is for other bytes than these")
            self.found.remove(self.timestamp)

    def in_words(self) -> list[str]:
        """For the report."""
        return [f"  note       {note}" for note in self.notes] + [
            f"  timestamp  NOT VALID: {one}" for one in self.findings
        ]


def read_small(path: Path, limit: int) -> bytes:
    """A small document. Raises `NotEvidence` if it cannot be read or is larger."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise NotEvidence(f"{path} is larger than {limit} bytes: it is no receipt and no timestamp")
    return data


def beside(path: Path, suffix: str) -> Path:
    """The document that stands beside a file."""
    return path.with_name(path.name + suffix)


def gather(path: Path, trust: Trust, authorities: TimestampTrust | None, timestamp: Path | None) -> Proofs:
    """What vouches for the time of one file. Raises `NotEvidence` if a timestamp that was named cannot be read."""
    proofs = Proofs()
    receipt = beside(path, RECEIPT_SUFFIX)
    if receipt.is_file():
        try:
            proofs.found.append(receipt_proof(read_small(receipt, SIGNED_DOCUMENT_BYTES), trust)[1])
        except EvidenceError as error:
            proofs.notes.append(f"the receipt beside the file does not count: {error}")
    token = timestamp or beside(path, SUFFIX)
    if authorities is None:
        if token.is_file():
            proofs.notes.append(f"{token.name} stands beside it: name its authority with --tsa-root to judge it")
        return proofs
    if timestamp is None and not token.is_file():
        proofs.notes.append(f"there is no timestamp {token.name}")
        return proofs
    try:
        proofs.timestamp = authorities.check(read_small(token, TOKEN_BYTES)).proof
        proofs.found.append(proofs.timestamp)
    except NotEvidence:
        raise
    except EvidenceError as error:
        proofs.findings.append(str(error))
    return proofs

"""What an audit knows: the facts of files, receipts and contacts that were verified, and what it says about them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

from evidence.handover import Contact, Receipt
from evidence.statements import AnyStatement, ClockStep, Close, Event, LogHead, Open, Recovered, Sealed
from evidence.verify import Report, file_name

FindingKind = Literal[
    "missing", "forked", "overlapping", "rolled_back", "out_of_order", "differs", "not_valid", "unclosed", "not_in_log"
]
Verdict = Literal["complete_until_contact", "unknown", "not_complete"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong."""

    kind: FindingKind
    about: str
    """E.g. ``recording 3`` or ``log segments 2-4``."""
    text: str

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')}: {self.about}: {self.text}"


@dataclass
class Gathered:
    """Collects from one file's statements, as they are verified, what an audit needs of them."""

    hashes: list[str] = field(default_factory=list)
    """SHA-256 of every statement of a log segment; of a recording only the first."""
    events: list[Event] = field(default_factory=list)
    last: AnyStatement | None = None
    """The newest statement that was written before any recovery, which may come in the same boot."""
    recovered: bool = False
    media_end_ns: int = 0
    clock_steps: int = 0

    def take(self, statement: AnyStatement, digest: str) -> None:
        """The callback of `StreamVerifier`."""
        is_log = statement.stream == "log"
        if is_log or not self.hashes:
            self.hashes.append(digest)
        if isinstance(statement, Event) and is_log:
            self.events.append(statement)
        self.clock_steps += isinstance(statement, ClockStep)
        if isinstance(statement, Sealed) and statement.media is not None:
            self.media_end_ns = max(self.media_end_ns, statement.media.start_ns + statement.media.duration_ns)
        self.recovered |= isinstance(statement, Recovered)
        if not self.recovered:
            self.last = statement


@dataclass(frozen=True)
class Found:
    """One file of the heap with its verdict."""

    path: str
    report: Report
    opened: Open
    gathered: Gathered

    @property
    def number(self) -> int:
        return self.opened.number

    @property
    def name(self) -> str:
        return file_name(self.opened.serial, self.opened.stream, self.opened.number)

    @property
    def close_hash(self) -> str | None:
        """None without a whole, verified `close`."""
        return self.report.close_hash

    @property
    def last(self) -> AnyStatement:
        """The last statement that was written before any recovery."""
        return self.gathered.last or self.opened

    @property
    def recovered(self) -> bool:
        return self.report.recovered is not None

    @property
    def ended(self) -> bool:
        """True if the camera closed it without a recovery."""
        return isinstance(self.last, Close)


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a camera's log stood, by the word of someone outside the camera (invariant 9)."""

    by: str
    at: dt.datetime
    segment: int
    seq: int | None
    """None: the segment's last statement (a receipt for the segment)."""
    hash: str


@dataclass
class Heap:
    """Everything that was read."""

    files: list[Found] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    """(path, why) of evidence that tells no camera, of receipts and contacts that do not hold."""
    ignored: list[str] = field(default_factory=list)
    """Paths of what is no evidence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a recording or log segment number, or a range of numbers that are all alike."""

    stream: str
    first: int
    last: int
    state: str
    """here, here recovered, held by STORE, missing, forked, not valid, not closed, void."""
    not_before: str | None = None
    """The contact whose nonce its `open` carries."""
    not_later: str | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """Up to here nothing is missing unless a finding says so."""

    head: LogHead
    by: str
    at: dt.datetime
    log_utc: str
    """What the camera's clock said at that statement (latest)."""


@dataclass
class CameraAudit:
    """The audit of one camera."""

    serial: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Ranges of which nobody can say whether they are complete."""
    rows: list[Row] = field(default_factory=list)
    proven: Proven | None = None
    holes: bool = False
    """Something unknown lies before the last contact, not only after it."""

    def found(self, kind: FindingKind, about: str, text: str) -> None:
        """Note a finding, once."""
        finding = Finding(kind, about, text)
        if finding not in self.findings:
            self.findings.append(finding)

    @property
    def verdict(self) -> Verdict:
        """`complete_until_contact` only without findings, without holes, and with a contact that proves it."""
        if self.findings:
            return "not_complete"
        return "unknown" if self.proven is None or self.holes else "complete_until_contact"

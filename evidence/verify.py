"""Verify an evidence file while it streams in, without any decryption key (design, invariants 6, 11, 12).

In order: each message is in its one canonical form; its signature holds; its certificate has the camera role under the
pinned root and the serial of `open`; the rules of `evidence.chain` hold; the file ends with `close`. The first broken
rule ends the check; the rest of the bytes is only counted and hashed. Times and revocations are judged at the end, when
the hash of the file is known, with the proofs from others that cover it (`evidence.times`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

from cryptography import x509

from evidence.chain import Chain
from evidence.cms import SIGNED_DATA, SignedMessage, parse_signed
from evidence.errors import EvidenceError, NotEvidence, UntrustedSigner
from evidence.limits import STATEMENT_BYTES
from evidence.roles import is_simulated, key_level_of
from evidence.splitter import Item, ObjectBytes, Splitter, StatementBytes
from evidence.statements import (
    AnyStatement,
    Close,
    LogHead,
    Open,
    Recovered,
    decode,
    moment_ns,
)
from evidence.times import SigningTimes, TimeProof, TimeVerdict
from evidence.trust import Trust

READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What a verifier can say about one file."""

    valid: bool
    findings: tuple[str, ...]
    """Why it is not valid: each names the object and the rule. Empty if valid."""
    notes: tuple[str, ...]
    """What a reader must know although it is valid: simulated, recovered, renamed, time unverified."""
    bytes: int
    sha256: str
    statements: int
    objects: int
    fragments: int
    frames: int
    sound_frames: int
    gps_fixes: int
    close_hash: str | None = None
    opened: Open | None = None
    closed: Close | None = None
    recovered: Recovered | None = None
    head: LogHead | None = None
    key_level: str | None = None
    signer: str | None = None
    duration_ns: int = 0
    times: TimeVerdict | None = None
    """Two verdicts: the camera's own claim of time, and what others vouch for. None without a single statement."""
    unclosed: bool = False
    """True if nothing but the end is missing: no `close`, or a torn last item."""
    empty: bool = False
    is_evidence: bool = True
    """False if no trace of a statement was found: an empty file, or one of another kind."""

    @property
    def log_head(self) -> LogHead | None:
        """The last statement of a device log segment; None for a recording."""
        return self.head if self.opened is not None and self.opened.stream == "log" else None


def check_statement(
    data: bytes, trust: Trust, *, serial: str | None, now: dt.datetime | None
) -> tuple[AnyStatement, SignedMessage]:
    """One statement: canonical, signed, of the camera role, of that serial, at a time its certificate covers.

    The time judged is the camera's own claim if it names a source, else `now`; with `now` None no certificate time is
    judged (a camera that recovers its own file must not cut it for a wrong clock). Raises `EvidenceError`.
    """
    message = parse_signed(data, limit=STATEMENT_BYTES)
    statement = decode(message.payload)
    if is_simulated(message.certificate) and not trust.simulated:  # said before the chain is judged, which fails too
        raise UntrustedSigner("this is simulated footage under a production root: it is not evidence")
    trust.check(message, role="camera", serial=serial or statement.serial)
    second = dt.timedelta(seconds=1)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    earliest, latest = (
        epoch + dt.timedelta(microseconds=moment_ns(text) // 1000)
        for text in (statement.utc.earliest, statement.utc.latest)
    )
    if not earliest - second <= message.signed_at <= latest + second:
        raise UntrustedSigner(f"statement seq {statement.seq} has a signing time outside its own claim of UTC")
    if now is not None:
        trust.check_time(message.chain, now if statement.utc.source == "none" else message.signed_at)
    return statement, message


def check_sources(opened: Open, certificate: x509.Certificate, trust: Trust) -> None:
    """Real is real (invariant 11): what is not real needs a simulated certificate under a simulated root.

    Raises `UntrustedSigner`.
    """
    unreal = sorted({source.kind for source in opened.sources} - {"real"})
    simulated = is_simulated(certificate)
    if unreal and not simulated:
        raise UntrustedSigner(f"`open` names {', '.join(unreal)} sources, but its certificate is not a simulated one")
    if (unreal or simulated) and not trust.simulated:
        raise UntrustedSigner("this is simulated footage under a production root: it is not evidence")
    if key_level_of(certificate) != opened.key_level:
        raise UntrustedSigner(
            f"`open` says the key level is {opened.key_level}, the certificate says {key_level_of(certificate)}"
        )


@dataclass
class StreamVerifier:
    """Feed it a file in pieces of any size, then ask for the report. Memory stays below about 1 MiB."""

    trust: Trust
    name: str | None = None
    """The file's name; a name that `open` contradicts becomes a note."""
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    """When certificates are judged if neither the camera's claim nor a proof says when it was."""
    on_statement: Callable[[AnyStatement, str], None] | None = None
    """Told of each statement that holds, with the SHA-256 of its DER."""
    chain: Chain = field(default_factory=Chain)
    _splitter: Splitter = field(default_factory=Splitter)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _bytes: int = 0
    _findings: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _signer: x509.Certificate | None = None
    _item: int = 0
    _trace: bool = False
    _tail: bytes = b""
    _times: SigningTimes = field(default_factory=SigningTimes)
    _unverified_time: bool = False

    def __post_init__(self) -> None:
        self._present = self.trust.before_revocation

    def feed(self, data: bytes | memoryview, beside: Executor | None = None) -> None:
        """Take the next bytes. Never raises for what they hold.

        With a thread to hand the file's own SHA-256 to, that is taken beside the rest; both are done on return.
        """
        hashed = beside.submit(self._hash.update, data) if beside is not None else None
        if hashed is None:
            self._hash.update(data)
        self._bytes += len(data)
        try:
            self._judge(data)
        finally:
            if hashed is not None:
                hashed.result()

    def _judge(self, data: bytes | memoryview) -> None:
        if self._findings:
            if not self._trace:
                window = self._tail + bytes(data)
                self._trace = SIGNED_DATA in window
                self._tail = window[-len(SIGNED_DATA) :]
            return
        if not self._trace and SIGNED_DATA in bytes(data[:4096]):
            self._trace = True
        current: int | None = None
        try:
            for item in self._splitter.feed(data):
                current = item.offset
                self._take(item)
                self._item += 1
                current = None
        except EvidenceError as error:
            at = self._splitter.item_start if current is None else current
            self._findings.append(f"item {self._item:06d} at byte {at}: {error}")

    def _take(self, item: Item) -> None:
        if isinstance(item, ObjectBytes):
            self.chain.take_object(item.size, item.sha256)
        else:
            self._take_statement(item)

    def _take_statement(self, item: StatementBytes) -> None:
        opened = self.chain.opened
        serial = opened.serial if opened is not None else None
        statement, message = check_statement(item.data, self._present, serial=serial, now=None)
        digest = hashlib.sha256(item.data).hexdigest()
        self.chain.statement(statement, digest)
        if isinstance(statement, Open):
            check_sources(statement, message.certificate, self.trust)
            self._signer = message.certificate
        self._times.note(statement, message, self._item)
        self._unverified_time |= statement.utc.source == "none"
        if self.on_statement is not None:
            self.on_statement(statement, digest)

    @property
    def sha256(self) -> str:
        """Of everything fed so far."""
        return self._hash.hexdigest()

    def finish(self, proofs: Sequence[TimeProof] = ()) -> Report:
        """The verdict on everything fed so far. Of the proofs those count that cover this file's SHA-256."""
        chain, sha256 = self.chain, self.sha256
        sound = not self._findings
        if sound:
            if self._bytes == 0:
                self._findings.append("the file is empty")
            elif self._splitter.in_item:
                self._findings.append(
                    f"item {self._item:06d} at byte {self._splitter.item_start}: the file ends inside it"
                )
            elif chain.closed is None:
                self._findings.append(
                    f"not closed: after item {self._item - 1:06d} there is no `close`, its end may be cut"
                )
        times = self._times.judge(self.trust, sha256, proofs, self.now) if chain.opened is not None else None
        findings = (*self._findings, *(times.findings if times is not None else ()))
        return Report(
            valid=not findings,
            findings=findings,
            notes=(*self._all_notes(), *(times.notes if times is not None else ())),
            bytes=self._bytes,
            sha256=sha256,
            statements=chain.statements,
            objects=chain.objects,
            fragments=chain.fragments,
            frames=chain.frames,
            sound_frames=chain.sound_frames,
            gps_fixes=chain.gps_fixes,
            close_hash=chain.head if chain.closed is not None and not findings else None,
            opened=chain.opened,
            closed=chain.closed,
            recovered=chain.recovered,
            head=self._head(),
            key_level=key_level_of(self._signer) if self._signer is not None else None,
            signer=self._signer.subject.rfc4514_string() if self._signer is not None else None,
            duration_ns=self._duration_ns(),
            times=times,
            unclosed=sound and chain.opened is not None and chain.closed is None,
            empty=self._bytes == 0,
            is_evidence=chain.opened is not None or self._trace,
        )

    def _duration_ns(self) -> int:
        first, last = self.chain.first_media, self.chain.last_media
        return last.start_ns + last.duration_ns - first.start_ns if first is not None and last is not None else 0

    def _head(self) -> LogHead | None:
        opened = self.chain.opened
        if opened is None:
            return None
        return LogHead(segment=opened.number, seq=self.chain.statements - 1, hash=self.chain.head)

    def _all_notes(self) -> list[str]:
        notes: list[str] = []
        opened, recovered = self.chain.opened, self.chain.recovered
        if opened is None:
            return notes
        if self.trust.simulated:
            notes.append("SIMULATED: made under a simulated root, not evidence")
        if recovered is not None:
            lost = "; ".join(f"{one.object} object {one.sha256[:16]} lost" for one in recovered.lost)
            notes.append(
                f"recovered after a crash: {recovered.cut_bytes} bytes of a torn tail set aside"
                + (f"; {lost}" if lost else "")
            )
        if self.name is not None and self.name != file_name(opened.serial, opened.stream, opened.number):
            notes.append(f"renamed: by its own words it is {file_name(opened.serial, opened.stream, opened.number)}")
        if self._unverified_time:
            notes.append("time unverified: nothing vouched for the camera's clock at some point")
        return notes


def file_name(serial: str, stream: str, number: int) -> str:
    """The name that a file has on the camera."""
    return f"{serial}-log-{number:06d}.evidence" if stream == "log" else f"{serial}-{number:06d}.evidence"


def feed_all(verifier: StreamVerifier, file: FileIO, on_bytes: Callable[[int], None] | None = None) -> None:
    """All of an open file, on two processors if there are two: objects and statements here, the file's hash beside.

    `on_bytes` is told the bytes so far. Raises OSError.
    """
    large = os.fstat(file.fileno()).st_size > READ_BYTES
    with (
        ThreadPoolExecutor(1, "file-hash") if large else nullcontext() as beside,
        memoryview(bytearray(READ_BYTES)) as room,
    ):
        done = 0
        while size := file.readinto(room):
            with room[:size] as piece:
                verifier.feed(piece, beside)
            done += size
            if on_bytes is not None:
                on_bytes(done)


def verify_file(
    path: Path, trust: Trust, *, now: dt.datetime | None = None, proofs: Sequence[TimeProof] = ()
) -> Report:
    """Verify a file on disk in bounded memory. Raises `NotEvidence` if it cannot be read at all."""
    verifier = StreamVerifier(trust, path.name, now or dt.datetime.now(dt.UTC))
    try:
        with path.open("rb", buffering=0) as file:
            feed_all(verifier, file)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    return verifier.finish(proofs)

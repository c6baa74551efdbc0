"""The unwrap ledger: who opened which sealed objects with the agency's vault key, signed and chained.

1. A ledger is a file of CMS SignedData (RFC 5652) one after another, each around canonical JSON; `seq` goes up by one
   and `prev` is the SHA-256 of the whole statement before it, so that none can be taken out of the middle.
2. A run writes `begin` before the first object is opened: no writable ledger, no opened object. Then the objects'
   SHA-256 as they were opened, then `end`. A `begin` without `end` is a run that was killed: what it opened last, at
   most `CHUNK` objects, may be missing.
3. A statement is durable before what it says is done. What a power cut left of one that was being written is set aside
   in a file beside the ledger, which goes on; any other damage stops every opening.
4. The signer has the export role. A ledger whose end was cut off looks whole: its newest hash belongs on other paper
   (`firsthand-evidence ledger` prints it).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import getpass
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import cms
from evidence.durable import AppendFile
from evidence.errors import BadKey, BrokenChain, EvidenceError, NotEvidence
from evidence.keys import Signer
from evidence.roles import role_of, serial_of
from evidence.signed_chain import Chained, Link, Place, read_chain
from evidence.statements import (
    NO_HASH,
    Count,
    Hash,
    Moment,
    Name,
    Word,
    encode_canonical,
    moment,
)
from evidence.torn import is_torn_at, set_aside
from evidence.trust import Trust

log = logging.getLogger(__name__)
CHUNK: Final = 1000


class Unwrap(Chained, frozen=True, kw_only=True, tag_field="kind", tag="unwrap"):
    """One statement of the ledger."""

    run: Hash
    """The same in all statements of one run: random."""
    phase: Literal["begin", "opened", "end"]
    at: Moment
    verb: Word
    """What was run: `export`, `inspect`, `disclose`."""
    user: Name
    """The name that the operating system gives the person, a claim."""
    file: Name
    vault: Hash
    """SHA-256 of the vault certificate."""
    objects: Annotated[tuple[Hash, ...], Meta(max_length=CHUNK)] = ()
    """SHA-256 of each sealed object that was opened."""
    count: Count = 0
    """At the end: objects in all."""
    outcome: Literal["done", "failed"] | None = None


_DECODER: Final = msgspec.json.Decoder(Unwrap)


def read_ledger(
    path: Path, trust: Trust | None, *, offset: int = 0, seq: int = 0, prev: str = NO_HASH
) -> Iterator[tuple[Unwrap, cms.SignedMessage, str]]:
    """Each statement with its signer and its SHA-256; without a root only the chain and the signatures are judged.

    From `offset` on, where statement `seq` must follow the one with the hash `prev`. Raises `EvidenceError` at the
    first broken rule, `NotEvidence` if the file cannot be read.
    """

    for one in _links(path, trust, offset, Place(seq, prev)):
        yield one.statement, one.message, one.digest


def read_documents(path: Path, trust: Trust) -> Iterator[tuple[Unwrap, bytes]]:
    """Each statement with its DER, from the first one on. Raises as `read_ledger` does."""
    for one in _links(path, trust, 0, Place()):
        yield one.statement, one.data


def _links(path: Path, trust: Trust | None, offset: int, place: Place) -> Iterator[Link[Unwrap]]:
    def check(message: cms.SignedMessage) -> None:
        if trust is None:
            cms.check_signature(message)
        else:
            trust.check(message, role="export", at=message.signed_at)

    try:
        with path.open("rb") as file:
            file.seek(offset)
            yield from read_chain(file, _DECODER, place, check, path.name)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error


@dataclass
class UnwrapLedger:
    """A ledger that one run writes to; several runs may do so at the same time."""

    path: Path
    signer: Signer
    verb: str
    evidence: str
    """Name of the evidence file."""
    vault: str
    _offset: int = 0
    """Up to here the ledger was read and checked."""
    _seq: int = 0
    _prev: str = NO_HASH
    _run: str = ""
    _waiting: list[str] = field(default_factory=list)
    _count: int = 0

    def begin(self) -> None:
        """Open or create the ledger, check it, and say what is about to be done.

        Raises `BadKey` for a signer of another role, `EvidenceError` for a ledger that does not hold, OSError.
        """
        if role_of(self.signer.certificate) != "export":
            raise BadKey("the ledger's certificate must have the export role: ask the agency's technician for one")
        self._run = os.urandom(32).hex()
        self._write("begin")

    def opened(self, sha256: str) -> None:
        """An object is about to be opened. Raises OSError."""
        self._waiting.append(sha256)
        self._count += 1
        if len(self._waiting) == CHUNK:
            self._flush()

    def end(self, *, done: bool) -> None:
        """Say what was opened. Raises OSError."""
        self._flush()
        self._write("end", count=self._count, outcome="done" if done else "failed")

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = tuple(self._waiting), []
            self._write("opened", objects=waiting)

    def _write(self, phase: str, **fields: object) -> None:
        with self._alone():
            self._catch_up()
            self._append(phase, fields)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        name = self.path.with_name(f"{self.path.name}.lock")
        lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _catch_up(self) -> None:
        """Read what others have written since. What a power cut left of a statement is set aside beside the ledger."""
        if not self.path.exists():
            return
        try:
            for one in _links(self.path, None, self._offset, Place(self._seq, self._prev)):
                self._seq, self._prev, self._offset = one.next.seq, one.next.prev, one.end
        except EvidenceError as error:
            if not is_torn_at(self.path, self._offset):
                raise BrokenChain(f"the ledger {self.path} does not hold, nothing more is opened: {error}") from error
            with AppendFile.reopen(self.path) as file:
                kept, rest = set_aside(file, self._offset)
            log.warning(
                "the last statement of %s was cut off: %d bytes are set aside as %s", self.path, len(rest), kept
            )

    def _append(self, phase: str, fields: Mapping[str, object]) -> None:
        now = dt.datetime.now(dt.UTC)
        values: dict[str, object] = {
            "v": 1,
            "kind": "unwrap",
            "seq": self._seq,
            "prev": self._prev,
            "run": self._run,
            "phase": phase,
            "at": moment(int(now.timestamp() * 1000) * 10**6),
            "verb": self.verb,
            "user": _user(),
            "file": self.evidence[:128],
            "vault": self.vault,
        }
        data = cms.sign(encode_canonical(msgspec.convert({**values, **fields}, Unwrap)), self.signer, now)
        with AppendFile.reopen(self.path) if self.path.exists() else AppendFile.create(self.path) as file:
            self._offset = file.append([data])
        self._seq, self._prev = self._seq + 1, hashlib.sha256(data).hexdigest()


def _user() -> str:
    try:
        return f"{getpass.getuser()}"[:128]
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def signed_by(message: cms.SignedMessage) -> str:
    """The serial of the desk that signed a statement."""
    return serial_of(message.certificate) or message.certificate.subject.rfc4514_string()

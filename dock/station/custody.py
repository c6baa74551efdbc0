"""The custody ledger: every step of every file, signed and chained (R38, R40, R41; ISO/IEC 27037).

1. ``custody/ledger.custody`` is a file of CMS SignedData one after another, each around canonical JSON; `seq` goes up
   by one and `prev` is the SHA-256 of the whole entry before it.
2. An entry is durable when `enter` returns. Nothing is ever taken out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import cms, der
from evidence.durable import AppendFile
from evidence.errors import BrokenChain, MalformedDer
from evidence.keys import Signer
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.statements import (
    NO_HASH,
    Count,
    Frozen,
    Hash,
    Moment,
    Name,
    Serial,
    Word,
    decode_canonical,
    encode_canonical,
    moment,
)


class CustodyEntry(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="custody"):
    """One step."""

    v: Literal[1]
    seq: Count
    prev: Hash
    at: Moment
    """The station's clock."""
    step: Word
    """What was done: `received`, `receipt`, `archived`, `hold`, `released`, `labelled`, `accepted`, `exported`…"""
    who: Name
    """A person, `camera SERIAL`, `station NAME`: who did it."""
    software: Name
    """Program and version that did it."""
    serial: Serial | None = None
    """The camera."""
    name: Name | None = None
    """The file, by its name on the camera."""
    sha256: Hash | None = None
    """The file's digest at this step."""
    details: Annotated[dict[Word, Annotated[str, Meta(max_length=500)]], Meta(max_length=24)] = msgspec.field(
        default_factory=dict
    )
    """What else belongs to it."""


_DECODER: Final = msgspec.json.Decoder(CustodyEntry)
SOFTWARE: Final = "firsthand-dock 0.1.0"


class Custody:
    """The ledger of one station. Calls block, from any thread."""

    def __init__(self, directory: Path, signer: Signer, *, utc_ns: Callable[[], int]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "ledger.custody"
        self._signer = signer
        self._utc_ns = utc_ns
        self._lock = threading.Lock()
        self._seq, self._prev, size = 0, NO_HASH, 0
        if self.path.exists():
            for entry, data in read_entries(self.path):
                self._seq, self._prev = entry.seq + 1, hashlib.sha256(data).hexdigest()
                size += len(data)
            self._file = AppendFile.reopen(self.path)
        else:
            self._file = AppendFile.create(self.path)

    def enter(
        self,
        step: str,
        *,
        who: str,
        serial: str | None = None,
        name: str | None = None,
        sha256: str | None = None,
        details: dict[str, str] | None = None,
    ) -> CustodyEntry:
        """Write one step; durable when it returns. Raises OSError."""
        with self._lock:
            now_ns = self._utc_ns()
            entry = CustodyEntry(
                v=1,
                seq=self._seq,
                prev=self._prev,
                at=moment(now_ns),
                step=step,
                who=who[:128],
                software=SOFTWARE,
                serial=serial,
                name=name,
                sha256=sha256,
                details={key: value[:500] for key, value in (details or {}).items()},
            )
            when = dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC)
            data = cms.sign(encode_canonical(entry), self._signer, when)
            self._file.append([data])
            self._seq, self._prev = entry.seq + 1, hashlib.sha256(data).hexdigest()
            return entry

    def entries(self, name: str | None = None) -> list[CustodyEntry]:
        """All steps, or those of one file. Raises `EvidenceError`, OSError."""
        return [entry for entry, _ in read_entries(self.path) if name is None or entry.name == name]

    def close(self) -> None:
        self._file.close()


def read_entries(path: Path) -> Iterator[tuple[CustodyEntry, bytes]]:
    """Each entry with its DER; chain and signatures are checked, no root is. Raises `EvidenceError`, OSError."""
    seq, prev = 0, NO_HASH
    with path.open("rb") as file:
        while head := file.read(der.MAX_HEADER_BYTES):
            found = der.read_header(head)
            if found is None or found[1] + found[2] > SIGNED_DOCUMENT_BYTES:
                raise MalformedDer("the custody ledger ends in something that is no whole entry")
            data = head + file.read(found[1] + found[2] - len(head))
            if len(data) != found[1] + found[2]:
                raise MalformedDer("the custody ledger's last entry is cut off")
            message = cms.parse_signed(data)
            cms.check_signature(message)
            entry: CustodyEntry = decode_canonical(message.payload, _DECODER)
            if (entry.seq, entry.prev) != (seq, prev):
                raise BrokenChain(f"{path.name}: entry {seq} does not follow the one before it")
            seq, prev = seq + 1, hashlib.sha256(data).hexdigest()
            yield entry, data

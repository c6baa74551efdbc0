"""Files of signed statements one after another, each naming the one before it: read, and checked link by link.

A chain is CMS SignedData around canonical JSON; `seq` goes up by one and `prev` is the SHA-256 of the whole DER of the
statement before. The unwrap ledger and the custody ledger are such files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Generic, Literal, TypeVar

import msgspec

from evidence import cms, der
from evidence.errors import BrokenChain, MalformedDer
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.statements import NO_HASH, Count, Frozen, Hash, decode_canonical


class Chained(Frozen, frozen=True, kw_only=True):
    """What each statement of a chain has."""

    v: Literal[1]
    """Version of the statement's form."""
    seq: Count
    """One more than the statement before; the first has 0."""
    prev: Hash
    """SHA-256 of the whole DER of the statement before; zeros for the first."""


_S = TypeVar("_S", bound=Chained)
Check = Callable[[cms.SignedMessage], None]
"""Judges one message's signature and signer. Raises `EvidenceError`."""


@dataclass(frozen=True, slots=True)
class Place:
    """What must come next: statement `seq`, after the one with the hash `prev`."""

    seq: int = 0
    prev: str = NO_HASH


@dataclass(frozen=True, slots=True)
class Link(Generic[_S]):
    """One statement of a chain that holds up to here."""

    statement: _S
    message: cms.SignedMessage
    digest: str
    """SHA-256 of its DER: the `prev` of the next one."""
    offset: int
    """Where it begins in its file."""
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def next(self) -> Place:
        """What must follow."""
        return Place(self.statement.seq + 1, self.digest)


def messages(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each whole message from the file's place on, with its offset. Raises `MalformedDer` where one is not whole."""
    offset = file.tell()
    while head := file.read(der.MAX_HEADER_BYTES):
        found = der.read_header(head)
        if found is None or found[0] != der.SEQUENCE or found[1] + found[2] > SIGNED_DOCUMENT_BYTES:
            raise MalformedDer("the ledger ends in something that is no whole statement")
        size = found[1] + found[2]
        # A statement that is shorter than its longest possible header has the next one's first bytes behind it.
        data = head[:size] + file.read(max(0, size - len(head)))
        if len(data) != size:
            raise MalformedDer("the ledger's last statement is cut off")
        file.seek(offset + size)
        yield offset, data
        offset += size


def link(
    data: bytes, offset: int, decoder: msgspec.json.Decoder[_S], place: Place | None, check: Check, name: str
) -> Link[_S]:
    """One message as the next link; `place` None takes any. Raises `EvidenceError`."""
    message = cms.parse_signed(data)
    statement = decode_canonical(message.payload, decoder)
    if place is not None and (statement.seq, statement.prev) != (place.seq, place.prev):
        raise BrokenChain(f"{name}: statement {place.seq} does not follow the one before it")
    check(message)
    return Link(statement, message, hashlib.sha256(data).hexdigest(), offset, data)


def read_chain(
    file: BinaryIO, decoder: msgspec.json.Decoder[_S], place: Place, check: Check, name: str
) -> Iterator[Link[_S]]:
    """Each link from the file's place on. Raises `EvidenceError` at the first that does not hold, OSError."""
    for offset, data in messages(file):
        found = link(data, offset, decoder, place, check, name)
        place = found.next
        yield found

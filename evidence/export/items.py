"""Walk through an evidence file item by item, whole or damaged, without judging it.

Verification stops at the first broken rule; a person who looks into a broken file needs to see what is there. Nothing
here is checked against a root, and memory stays bounded: of objects only place, size and SHA-256 are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evidence.cms import SignedMessage, parse_signed
from evidence.errors import EvidenceError, MalformedDer
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Item, Splitter, StatementBytes
from evidence.statements import AnyStatement, Sealed, decode
from evidence.verify import READ_BYTES


@dataclass(frozen=True, slots=True)
class StatementItem:
    """One signed message. `statement` is None, and `problem` says why, if it is not in its canonical form."""

    number: int
    offset: int
    size: int
    sha256: str
    statement: AnyStatement | None
    message: SignedMessage | None
    problem: str | None = None

    @property
    def file_name(self) -> str:
        """The numbered name under which `unpack` writes it."""
        kind = self.statement.kind if self.statement is not None else "unreadable"
        return f"{self.number:06d}-{kind}.p7s"


@dataclass(frozen=True, slots=True)
class ObjectItem:
    """One sealed object. `announced` is the `sealed` statement right before it that names this very object, or None."""

    number: int
    offset: int
    size: int
    sha256: str
    announced: Sealed | None

    @property
    def file_name(self) -> str:
        return f"{self.number:06d}-{self.announced.object if self.announced is not None else 'orphan'}.p7"


@dataclass(frozen=True, slots=True)
class Rest:
    """What stands behind the last whole item and is none."""

    number: int
    offset: int
    size: int
    problem: str

    @property
    def file_name(self) -> str:
        return f"{self.number:06d}-rest.bin"


AnyItem = StatementItem | ObjectItem | Rest


def _statement(number: int, item: StatementBytes) -> StatementItem:
    digest = hashlib.sha256(item.data).hexdigest()
    message: SignedMessage | None = None
    try:
        message = parse_signed(item.data, limit=STATEMENT_BYTES)
        statement = decode(message.payload)
    except EvidenceError as error:
        return StatementItem(number, item.offset, len(item.data), digest, None, message, str(error))
    return StatementItem(number, item.offset, len(item.data), digest, statement, message)


def _named(number: int, item: Item, before: AnyItem | None) -> StatementItem | ObjectItem:
    if isinstance(item, StatementBytes):
        return _statement(number, item)
    announced = before.statement if isinstance(before, StatementItem) else None
    if not isinstance(announced, Sealed) or (announced.bytes, announced.sha256) != (item.size, item.sha256):
        announced = None
    return ObjectItem(number, item.offset, item.size, item.sha256, announced)


def walk(
    file: BinaryIO, on_bytes: Callable[[int], None] | None = None, *, most: int | None = None
) -> Iterator[AnyItem]:
    """Every item of an open file in order; together they cover all bytes it had when this began.

    `on_bytes` is told the bytes read so far. With `most`, the item with that number is a `Rest` of all that is left.
    Raises OSError, and nothing for what the bytes hold.
    """
    total = os.fstat(file.fileno()).st_size
    splitter, number, done = Splitter(), 0, 0
    before: AnyItem | None = None
    problem = "the file ends inside this item"
    try:
        while done < total and (chunk := file.read(min(READ_BYTES, total - done))):
            done += len(chunk)
            for item in splitter.feed(chunk):
                if number == most:
                    yield Rest(number, item.offset, total - item.offset, f"the file has more than {most} items")
                    return
                before = _named(number, item, before)
                yield before
                number += 1
            if on_bytes is not None:
                on_bytes(done)
    except MalformedDer as error:
        problem = str(error)
    if splitter.item_start < total:
        yield Rest(number, splitter.item_start, total - splitter.item_start, problem)


def read_at(file: BinaryIO, item: ObjectItem, *, hashed: bool = True) -> bytes:
    """The bytes of one object (at most 32 MiB) without moving the file's position.

    Raises OSError; `MalformedDer` if they are no longer what `walk` saw, which is not looked at unless `hashed`.
    """
    parts: list[bytes] = []
    offset, end = item.offset, item.offset + item.size
    while offset < end and (part := os.pread(file.fileno(), end - offset, offset)):
        parts.append(part)
        offset += len(part)
    data = b"".join(parts)
    if len(data) != item.size or (hashed and hashlib.sha256(data).hexdigest() != item.sha256):
        raise MalformedDer(f"item {item.number:06d} changed while it was read")
    return data

"""Split a stream of evidence bytes into CMS messages, in bounded memory.

Statements are handed over whole (at most 64 KiB); of sealed objects only the size and the SHA-256 are kept, so that a
30 GB file can be checked while it streams in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from evidence import der
from evidence.cms import SIGNED_DATA
from evidence.errors import MalformedDer
from evidence.limits import OBJECT_BYTES, STATEMENT_BYTES
from evidence.sealed import AUTH_ENVELOPED

_PEEK: Final = der.MAX_HEADER_BYTES + max(len(AUTH_ENVELOPED), len(SIGNED_DATA))


@dataclass(frozen=True, slots=True)
class StatementBytes:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ObjectBytes:
    offset: int
    size: int
    sha256: str


Item = StatementBytes | ObjectBytes


class Splitter:
    """Push bytes in, take items out. After a `MalformedDer` the splitter is spent."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self._item_start = 0
        self._size = 0
        self._kind: bytes | None = None
        self._hash = hashlib.sha256()
        self._left = 0

    @property
    def item_start(self) -> int:
        """Offset of the item that is being read, or of the next one."""
        return self._item_start

    @property
    def in_item(self) -> bool:
        """True if the bytes so far end inside an item."""
        return self._offset + len(self._buffer) > self._item_start

    def feed(self, data: bytes | memoryview) -> Iterator[Item]:
        """The items that these bytes complete. Raises `MalformedDer` at the first byte that cannot be evidence."""
        view = memoryview(data)
        while len(view):
            if self._left:
                taken = view[: self._left]
                self._hash.update(taken)
                self._left -= len(taken)
                self._offset += len(taken)
                view = view[len(taken) :]
                if self._left == 0:
                    yield self._object_done()
                continue
            wanted = self._size if self._kind == SIGNED_DATA else _PEEK
            taken = view[: wanted - len(self._buffer)]
            self._buffer += taken
            view = view[len(taken) :]
            yield from self._advance()

    def _advance(self) -> Iterator[Item]:
        if self._kind is None and not self._identify():
            return
        if self._kind == SIGNED_DATA:
            if len(self._buffer) < self._size:
                return
            rest = bytes(self._buffer[self._size :])
            item = StatementBytes(self._item_start, bytes(self._buffer[: self._size]))
            self._finish_item()
            yield item
            if rest:
                yield from self.feed(rest)
            return
        head, self._buffer = bytes(self._buffer[: self._size]), self._buffer[self._size :]
        rest, self._buffer = bytes(self._buffer), bytearray()
        self._hash = hashlib.sha256(head)
        self._left = self._size - len(head)
        self._offset += len(head)
        if self._left == 0:
            yield self._object_done()
        if rest:
            yield from self.feed(rest)

    def _identify(self) -> bool:
        """Find out what the buffered header begins; False if more bytes are needed."""
        found = der.read_header(self._buffer)
        if found is None:
            return False
        tag, head, length = found
        if tag != der.SEQUENCE:
            raise MalformedDer(f"at byte {self._item_start} there is no CMS message")
        for kind, limit in ((SIGNED_DATA, STATEMENT_BYTES), (AUTH_ENVELOPED, OBJECT_BYTES)):
            if self._buffer[head : head + len(kind)] == kind:
                if head + length > limit:
                    raise MalformedDer(f"the message at byte {self._item_start} is over the limit of {limit} bytes")
                self._kind, self._size = kind, head + length
                return True
        if len(self._buffer) >= min(head + length, _PEEK):
            raise MalformedDer(f"the message at byte {self._item_start} is neither a statement nor a sealed object")
        return False

    def _object_done(self) -> ObjectBytes:
        item = ObjectBytes(self._item_start, self._size, self._hash.hexdigest())
        self._finish_item()
        return item

    def _finish_item(self) -> None:
        self._item_start += self._size
        self._offset = self._item_start
        self._buffer = bytearray()
        self._kind = None
        self._size = 0

"""ISO base media file format boxes: building them, and reading them with every size checked (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from evidence.errors import MediaError
from evidence.nal import Buffer

MAX_BOXES: Final = 256
"""Most boxes accepted inside one parent (or at the top level)."""


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box: 32-bit size, four-character type, then the parts."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version (0..255) and flags (24 bits)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@dataclass(frozen=True, slots=True)
class Box:
    """One box found in a buffer. `start` and `end` are byte offsets of the whole box, `body` of what follows its
    header."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes_in(data: Buffer, start: int, end: int) -> Iterator[Box]:
    """The boxes that fill `data[start:end]` exactly, in order.

    Sizes 0 ("to the end") and 64-bit sizes are accepted as the standard defines them. Raises MediaError when a box
    does not fit, or when there are more than MAX_BOXES.
    """
    count = 0
    while start < end:
        if end - start < 8:
            raise MediaError(f"{end - start} stray bytes after the last MP4 box")
        size = int.from_bytes(data[start : start + 4], "big")
        kind = bytes(data[start + 4 : start + 8])
        body = start + 8
        if size == 1:
            body = start + 16
            size = int.from_bytes(data[start + 8 : min(body, end)], "big")
        elif size == 0:
            size = end - start
        if not body - start <= size <= end - start:
            raise MediaError(f"an MP4 box {kind!r} whose size {size} does not fit its place")
        count += 1
        if count > MAX_BOXES:
            raise MediaError(f"more than {MAX_BOXES} MP4 boxes in one place")
        yield Box(kind, start, body, start + size)
        start += size


class Fields:
    """Reads the fields of one box in order; a read beyond its end raises MediaError."""

    def __init__(self, data: Buffer, found: Box) -> None:
        self._data = data
        self._box = found
        self.position = found.body

    def unsigned(self, length_bytes: int) -> int:
        return int.from_bytes(self.take(length_bytes), "big")

    def signed(self, length_bytes: int) -> int:
        return int.from_bytes(self.take(length_bytes), "big", signed=True)

    def take(self, length_bytes: int) -> bytes:
        end = self.position + length_bytes
        if end > self._box.end:
            raise MediaError(f"an MP4 box {self._box.kind!r} that ends too early")
        taken = bytes(self._data[self.position : end])
        self.position = end
        return taken

    def version_and_flags(self) -> tuple[int, int]:
        word = self.unsigned(4)
        return word >> 24, word & 0xFFFFFF

    @property
    def left_bytes(self) -> int:
        return self._box.end - self.position


def children(data: Buffer, parent: Box, skip_bytes: int = 0) -> list[Box]:
    """The boxes inside `parent`, after `skip_bytes` of fields of its own."""
    if parent.body + skip_bytes > parent.end:
        raise MediaError(f"an MP4 box {parent.kind!r} that ends too early")
    return list(boxes_in(data, parent.body + skip_bytes, parent.end))


def only(boxes: list[Box], kind: bytes) -> Box:
    """The one box of this kind. Raises MediaError when there is none, or more than one."""
    found = [candidate for candidate in boxes if candidate.kind == kind]
    if len(found) != 1:
        raise MediaError(f"{len(found)} MP4 boxes {kind!r} where exactly one is expected")
    return found[0]

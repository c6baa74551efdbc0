"""GPMF's key-length-value blocks: key (4 characters), type, structure size, repeat count, data padded to 4 bytes.

Source: GoPro's GPMF specification, "GPMF KLV". Reading is bounded: a block must fit its place, and one place holds at
most MAX_BLOCKS.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from evidence.errors import MediaError
from evidence.nal import Buffer

MAX_BLOCKS: Final = 64
"""Most blocks accepted in one place."""
_NESTED: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class Klv:
    """One block found in a buffer; `start` and `end` are byte offsets of its data without padding."""

    key: bytes
    kind: bytes
    structure_bytes: int
    start: int
    end: int

    @property
    def is_nested(self) -> bool:
        """True if the data are blocks themselves."""
        return self.kind == _NESTED


def klv(key: bytes, kind: bytes, structure_bytes: int, data: bytes) -> bytes:
    """One block of `len(data) / structure_bytes` structures. Raises MediaError when that does not fit its fields."""
    repeat, rest = divmod(len(data), structure_bytes)
    if rest or repeat > 0xFFFF:
        raise MediaError(f"{len(data)} bytes do not fit a GPMF block {key!r}")
    return struct.pack(">4scBH", key, kind, structure_bytes, repeat) + data + bytes(-len(data) % 4)


def text(key: bytes, value: str) -> bytes:
    """A block of ASCII characters."""
    return klv(key, b"c", 1, value.encode("ascii"))


def nested(key: bytes, *blocks: bytes) -> bytes:
    """A block of blocks. Above 65535 bytes it counts in units of 4 bytes."""
    body = b"".join(blocks)
    return klv(key, _NESTED, 1 if len(body) <= 0xFFFF else 4, body)


def klvs_in(data: Buffer, start: int, end: int) -> list[Klv]:
    """The blocks that fill `data[start:end]` exactly. Raises MediaError when they do not, or are too many."""
    found: list[Klv] = []
    while start < end:
        if end - start < 8:
            raise MediaError("stray bytes after the last GPMF block")
        key, kind, structure_bytes, repeat = struct.unpack(">4scBH", data[start : start + 8])
        body = start + 8
        body_end = body + structure_bytes * repeat
        start = body_end + (-(body_end - body) % 4)
        if start > end:
            raise MediaError(f"a GPMF block {key!r} that does not fit its place")
        if len(found) == MAX_BLOCKS:
            raise MediaError(f"more than {MAX_BLOCKS} GPMF blocks in one place")
        found.append(Klv(key, kind, structure_bytes, body, body_end))
    return found

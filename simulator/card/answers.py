"""How a faulty card answers each request: an error, fewer bytes, or later. Pure."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

Ask = Literal["read", "write", "sync", "name"]
"""`name`: a file is made, renamed, linked or removed."""
ASKS: Final[tuple[Ask, ...]] = ("read", "write", "sync", "name")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the card; nothing, as it is made."""

    bytes_per_s: float | None = None
    """As fast as it writes and reads."""
    sync_s: float = 0.0
    """How long each sync takes on top."""
    room_bytes: int | None = None
    """Its files may take so much in all, as a smaller card would let them."""
    read_only: bool = False
    errors: frozenset[Ask] = frozenset()
    """These fail with EIO."""
    stalled: bool = False
    """Nothing is answered, no error either."""
    rot_every_bytes: int | None = None
    """One bit of each so many bytes comes back wrong; the medium itself is whole."""
    rot_seed: int = 0

    @property
    def any(self) -> bool:
        return self != _NONE


_NONE: Final = Faults()


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a request."""

    error: int = 0
    """An errno, 0 for none."""
    taken: int = 0
    """Bytes that are read or written."""
    delay_s: float = 0.0


def answer(faults: Faults, ask: Ask, size: int = 0, used_bytes: int = 0) -> Answer:
    """What the card says to one request of `size` bytes; `used_bytes` is what its files take now."""
    if ask in faults.errors:
        return Answer(errno.EIO)
    if faults.read_only and ask in ("write", "name"):
        return Answer(errno.EROFS)
    if ask == "sync":
        return Answer(0, 0, faults.sync_s)
    if ask == "write" and faults.room_bytes is not None:
        room = max(0, faults.room_bytes - used_bytes)
        if size and not room:
            return Answer(errno.ENOSPC)
        size = min(size, room)
    return Answer(0, size, size / faults.bytes_per_s if faults.bytes_per_s else 0.0)


def rotten(faults: Faults, path: str, offset: int, data: bytes) -> bytes:
    """What comes back of bytes that were read at `offset`: the same place of the same file is wrong each time."""
    every = faults.rot_every_bytes
    if every is None or not data:
        return data
    changed = bytearray(data)
    for block in range(offset // every, (offset + len(data) - 1) // every + 1):
        place, bit = _place(faults.rot_seed, path, block, every)
        if 0 <= place - offset < len(data):
            changed[place - offset] ^= 1 << bit
    return bytes(changed)


def flipped(seed: int, sizes: dict[str, int]) -> tuple[str, int, int] | None:
    """(path, byte, bit) of one bit of the medium, each byte as likely as any other; None if there are no bytes."""
    total = sum(sizes.values())
    if not total:
        return None
    number = int.from_bytes(hashlib.sha256(f"flip {seed}".encode()).digest())
    place, bit = number // 8 % total, number % 8
    for path in sorted(sizes):
        if place < sizes[path]:
            return path, place, bit
        place -= sizes[path]
    raise AssertionError("the place lies within the total")


def _place(seed: int, path: str, block: int, every: int) -> tuple[int, int]:
    number = int.from_bytes(hashlib.sha256(f"{seed} {block} {path}".encode()).digest()[:8])
    return block * every + number // 8 % every, number % 8

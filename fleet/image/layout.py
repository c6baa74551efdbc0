"""The partition table of a card: where everything lies, and the bytes that say so (docs/design/board.md).

An MBR, since every Raspberry Pi can start from one. Linux finds the partitions by the disk's signature, which is the
same on every card of ours: ``/dev/disk/by-partuuid/46485354-01`` and so on, whatever the card's device is called.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

SECTOR: Final = 512
MIB: Final = 1 << 20
ALIGN: Final = 4 * MIB
"""Partitions begin at multiples of this: the size of a flash card's erase blocks."""
SIGNATURE: Final = 0x46485354
"""Of the disk ("FHST"); Linux makes the PARTUUIDs from it."""
FAT32: Final = 0x0C
EXTENDED: Final = 0x0F
LINK: Final = 0x05
LINUX: Final = 0x83
_ANY_CHS: Final = b"\xfe\xff\xff"
"""Cylinder, head and sector beyond what they can say: readers take the block numbers."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the partitions are, in bytes: multiples of `ALIGN`."""

    boot: int
    """Each of the two boot partitions."""
    root: int
    """Each of the two systems: room for what updates will need in years."""
    selector: int = 64 * MIB
    """Partition 1."""
    data: int = 16 * MIB
    """Of the image only; the camera makes it as large as the card."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, in bytes from the beginning of the card."""

    number: int
    type: int
    start: int
    size: int


def partuuid(number: int) -> str:
    """What Linux calls a partition of every card of ours."""
    return f"{SIGNATURE:08x}-{number:02x}"


def partitions(sizes: Sizes) -> dict[int, Partition]:
    """All seven. Before each logical one (5 to 7) `ALIGN` bytes are left for its own table."""
    found: dict[int, Partition] = {}
    at = ALIGN
    for number, size in ((1, sizes.selector), (2, sizes.boot), (3, sizes.boot)):
        found[number] = Partition(number, FAT32, at, size)
        at += size
    extended = at
    for number, size in ((5, sizes.root), (6, sizes.root), (7, sizes.data)):
        at += ALIGN
        found[number] = Partition(number, LINUX, at, size)
        at += size
    found[4] = Partition(4, EXTENDED, extended, at - extended)
    return dict(sorted(found.items()))


def card_bytes(sizes: Sizes) -> int:
    """How large the image is."""
    last = partitions(sizes)[7]
    return last.start + last.size


def table(sizes: Sizes) -> dict[int, bytes]:
    """The sectors that make the table, by their place on the card in bytes."""
    all_of_them = partitions(sizes)
    extended = all_of_them[4]
    primary = [_entry(all_of_them[n].type, all_of_them[n].start, all_of_them[n].size) for n in (1, 2, 3, 4)]
    sectors = {0: _sector(primary, SIGNATURE)}
    for number in (5, 6, 7):
        logical = all_of_them[number]
        at = logical.start - ALIGN
        entries = [_entry(logical.type, ALIGN, logical.size)]
        following = all_of_them.get(number + 1)
        if following is not None:
            entries.append(_entry(LINK, following.start - ALIGN - extended.start, ALIGN + following.size))
        sectors[at] = _sector(entries)
    return sectors


def _entry(kind: int, start: int, size: int) -> bytes:
    return struct.pack("<B3sB3sII", 0, _ANY_CHS, kind, _ANY_CHS, start // SECTOR, size // SECTOR)


def _sector(entries: list[bytes], signature: int = 0) -> bytes:
    return struct.pack("<440xIH", signature, 0) + b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"

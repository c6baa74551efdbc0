"""The log of a recorded disk, in dm-log-writes format, and what a power cut at any of its entries leaves.

The format is that of the Linux kernel (Documentation/admin-guide/device-mapper/log-writes.rst): a superblock in the
first sector, then for each request a sector with its description and the sectors it wrote. A flush makes durable what
was written before it; of what came after, a card may keep nothing, some whole writes, some sectors, or everything.
"""

from __future__ import annotations

import contextlib
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

SECTOR: Final = 512
CHUNK: Final = 65536
"""Bytes of a disk that are kept together; a chunk that nobody wrote is not kept at all."""
MAGIC: Final = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
Model = Literal["none", "random", "torn", "all"]
"""What a card keeps of what was not flushed: nothing; whole writes by chance; sectors by chance; everything."""
MODELS: Final[tuple[Model, ...]] = get_args(Model)
_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")


class NotALog(ValueError):
    """These bytes are no write log, or it ends before its last entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request to the disk."""

    sector: int
    sectors: int
    flags: int
    data_at: int
    """Where its bytes stand in the log."""


def entries_now(superblock: bytes) -> int:
    """How many entries a log has, from its first bytes. Raises `NotALog`."""
    if len(superblock) < _SUPER.size:
        raise NotALog(f"a log begins with {_SUPER.size} bytes, here are {len(superblock)}")
    magic, version, entries, sector = _SUPER.unpack_from(superblock)
    if (magic, version, sector) != (MAGIC, 1, SECTOR):
        raise NotALog("this is no dm-log-writes log of version 1 with sectors of 512 bytes")
    return int(entries)


class WriteLog:
    """A log that is no longer written; use it as a context."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self.entries: tuple[Entry, ...] = tuple(self._read_entries())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> WriteLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read_entries(self) -> Iterator[Entry]:
        count = entries_now(self._file.read(SECTOR))
        at = SECTOR
        for number in range(count):
            self._file.seek(at)
            head = self._file.read(_ENTRY.size)
            if len(head) < _ENTRY.size:
                raise NotALog(f"the log ends before entry {number + 1} of {count}")
            sector, sectors, flags, marked = _ENTRY.unpack(head)
            data_at = at + SECTOR
            held = 0 if flags & DISCARD else marked if flags & MARK else sectors * SECTOR
            yield Entry(sector, sectors, flags, data_at)
            at = data_at + (held + SECTOR - 1) // SECTOR * SECTOR

    def data(self, entry: Entry) -> bytes:
        """What a request wrote; zeros for one that discards. Raises `NotALog`."""
        if entry.flags & MARK or not entry.sectors:
            return b""
        if entry.flags & DISCARD:
            return bytes(entry.sectors * SECTOR)
        self._file.seek(entry.data_at)
        data = self._file.read(entry.sectors * SECTOR)
        if len(data) < entry.sectors * SECTOR:
            raise NotALog("the log ends inside what was written last")
        return data


Write = tuple[int, bytes]
"""A byte offset on the disk, and what stands there."""
Pending = tuple[int, bytes, bool]
"""The same, and whether the request itself asked to be durable (FUA): then every card keeps it."""


class Sparse:
    """The bytes of a disk, without those that are zero since it was made."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.chunks: dict[int, bytearray] = {}

    @classmethod
    def of(cls, path: Path) -> Sparse:
        """The disk in an image file."""
        found = cls(path.stat().st_size)
        with path.open("rb") as file, contextlib.suppress(OSError):  # ENXIO: no bytes from there on
            at = 0
            while at < found.size:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // CHUNK * CHUNK
                data = os.pread(file.fileno(), CHUNK, at)
                if data.count(0) != len(data):
                    found.chunks[at // CHUNK] = bytearray(data.ljust(CHUNK, b"\0"))
                at += CHUNK
        return found

    def write(self, offset: int, data: bytes) -> None:
        at = 0
        while at < len(data):
            number, inside = divmod(offset + at, CHUNK)
            piece = data[at : at + CHUNK - inside]
            chunk = self.chunks.get(number)
            if chunk is None:
                chunk = self.chunks[number] = bytearray(CHUNK)
            chunk[inside : inside + len(piece)] = piece
            at += len(piece)


class Replay:
    """A disk that goes forward through a log: what is durable, and what was written since the last flush."""

    def __init__(self, base: Sparse, log: WriteLog) -> None:
        self.durable = base
        self.unflushed: list[Pending] = []
        self.at = 0
        """So many entries are replayed."""
        self._log = log

    def forward(self, entries: int) -> None:
        """Replay up to so many entries; there is no way back."""
        if not self.at <= entries <= len(self._log.entries):
            raise ValueError(f"cannot go from entry {self.at} to {entries} of {len(self._log.entries)}")
        for entry in self._log.entries[self.at : entries]:
            if entry.flags & FLUSH:
                for offset, data, _ in self.unflushed:
                    self.durable.write(offset, data)
                self.unflushed.clear()
            data = self._log.data(entry)
            if data:
                self.unflushed.append((entry.sector * SECTOR, data, bool(entry.flags & FUA)))
        self.at = entries

    def survivors(self, model: Model, chance: random.Random) -> list[Write]:
        """What a card keeps of the unflushed writes, in the order in which they were made."""
        kept: list[Write] = []
        for offset, data, sure in self.unflushed:
            if sure or model == "all" or (model == "random" and chance.random() < 0.5):
                kept.append((offset, data))
            elif model == "torn":
                pieces = range(0, len(data), SECTOR)
                kept += [(offset + at, data[at : at + SECTOR]) for at in pieces if chance.random() < 0.5]
        return kept

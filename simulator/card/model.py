"""What is durable on a card, and what a power cut leaves of the rest. Pure: numbers and names in, repairs out.

1. A file's bytes and length are durable once the file was synced; a name is durable once its directory was synced.
2. Nothing else is. A real card may keep more, in any order, and `Cut` says how much more it keeps this time.
3. Of a file only what differs from its durable state is remembered: its durable length, and the durable bytes that were
   written over. A file that nobody touched costs nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

Span = tuple[int, int]
"""From a byte up to, not with, another."""
Tail = Literal["cut", "zeros"]
ALL: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Cut:
    """How the power goes: what survives of that which was never synced."""

    data_bytes: int = 0
    """So many of the written bytes, the oldest first: the last write may be torn."""
    names: int = 0
    """So many of the new, changed and removed names, the oldest first."""
    tail: Tail = "cut"
    """What did not survive of an appended file: gone, or its length is there with zeros in it."""

    @staticmethod
    def by_seed(seed: int, unsynced_bytes: int, unsynced_names: int) -> Cut:
        """One of all cuts that are possible at this moment; the same seed gives the same one."""
        dice = random.Random(seed)
        tail: Tail = "zeros" if dice.random() < 0.25 else "cut"
        return Cut(dice.randint(0, unsynced_bytes), dice.randint(0, unsynced_names), tail)


@dataclass(frozen=True, slots=True)
class FileRepair:
    """What must be done to a file so that it is what the cut left: first its length, then bytes put back."""

    file: int
    size: int
    patches: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class NameRepair:
    """What must stand at a path: nothing, or the file (or directory) that was kept under that number."""

    path: str
    kept: int | None


@dataclass(frozen=True, slots=True)
class Leftover:
    """All repairs, files before names."""

    files: tuple[FileRepair, ...]
    names: tuple[NameRepair, ...]
    dropped: tuple[int, ...]
    """Kept things that nobody needs any more once this is done."""
    lost_bytes: int
    lost_names: int


@dataclass(slots=True)
class _File:
    durable_size: int
    size: int
    saved: list[tuple[int, bytes]] = field(default_factory=list)
    """Durable bytes that are no longer what the file holds; spans do not overlap."""


@dataclass(slots=True)
class CardModel:
    """The card's memory of what it owes. Files are known by a number of the adapter's choice, paths are relative."""

    _files: dict[int, _File] = field(default_factory=dict)
    _writes: list[tuple[int, int, int]] = field(default_factory=list)
    """(file, from, up to) of what was written and is not durable, oldest first."""
    _names: dict[str, int | None] = field(default_factory=dict)
    """Of each name that was changed since its directory was synced: what durably stands there."""

    # --- bytes --------------------------------------------------------------------------------------------------------

    def knows(self, file: int) -> bool:
        """Whether something about the file is not durable."""
        return file in self._files

    def endangered(self, file: int, size: int, start: int, end: int) -> list[Span]:
        """Durable bytes that a change from `start` to `end` would destroy: hand them to `save` first.

        `size` is the file's length now; it counts as durable if the file was not known before.
        """
        one = self._files.get(file)
        if one is None:
            one = self._files[file] = _File(size, size)
        spans = [(start, min(end, one.durable_size))]
        return without(spans, ((at, at + len(data)) for at, data in one.saved))

    def save(self, file: int, offset: int, data: bytes) -> None:
        """Durable bytes that are about to be destroyed."""
        if data:
            self._files[file].saved.append((offset, data))

    def created(self, file: int) -> None:
        """A new, empty file, whatever had that number before."""
        self.synced(file)
        self._files[file] = _File(0, 0)

    def wrote(self, file: int, start: int, end: int) -> None:
        """Bytes were written, `endangered` was asked before."""
        self._files[file].size = max(self._files[file].size, end)
        if end > start:
            self._writes.append((file, start, end))

    def resized(self, file: int, size: int) -> None:
        """The file was cut or stretched; `endangered` was asked before, from `size` to its end."""
        self._files[file].size = size
        kept = [(known, start, min(end, size) if known == file else end) for known, start, end in self._writes]
        self._writes = [one for one in kept if one[1] < one[2]]

    def synced(self, file: int) -> None:
        """The file is durable as it is."""
        if self._files.pop(file, None) is not None:
            self._writes = [one for one in self._writes if one[0] != file]

    @property
    def unsynced_bytes(self) -> int:
        """Written, and lost in a cut that keeps nothing."""
        return sum(end - start for _, start, end in self._writes)

    @property
    def unsynced_files(self) -> tuple[int, ...]:
        return tuple(self._files)

    # --- names --------------------------------------------------------------------------------------------------------

    def is_changed(self, path: str) -> bool:
        """Whether the name is not durable already; if it is, keep what stands there before changing it."""
        return path in self._names

    def name_changed(self, path: str, kept: int | None) -> None:
        """A name was made, removed or given to another file; `kept` is what stood there, None for nothing."""
        self._names.setdefault(path, kept)

    def directory_synced(self, directory: str) -> tuple[int, ...]:
        """The names in a directory are durable as they are; the kept things that may go."""
        done = [path for path in self._names if parent(path) == directory]
        kept = [self._names.pop(path) for path in done]
        return tuple(one for one in kept if one is not None)

    def changed_below(self, directory: str) -> set[str]:
        """The directory and those below it in which a name is not durable."""
        below = {parent(path) for path in self._names}
        return {one for one in below if one == directory or one.startswith(f"{directory}/")}

    @property
    def unsynced_names(self) -> int:
        return len(self._names)

    # --- the cut ------------------------------------------------------------------------------------------------------

    def cut(self, how: Cut) -> Leftover:
        """The power is gone. What must be repaired; afterwards everything is durable as it then is."""
        surviving = list(_first_bytes(self._writes, how.data_bytes))
        files = tuple(
            _repair(number, one, [(start, end) for file, start, end in surviving if file == number], how.tail)
            for number, one in self._files.items()
        )
        lost = list(self._names.items())[how.names :]
        kept = tuple(one for one in self._names.values() if one is not None)
        lost_bytes = self.unsynced_bytes - sum(end - start for _, start, end in surviving)
        names = tuple(NameRepair(path, one) for path, one in sorted(lost, key=lambda item: item[0].count("/")))
        self._files, self._writes, self._names = {}, [], {}
        return Leftover(files, names, kept, lost_bytes, len(lost))


def parent(path: str) -> str:
    """The directory of a relative path; the card's own is empty."""
    return path.rpartition("/")[0]


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """The parts of `spans` that are in none of `taken`."""
    left = [span for span in spans if span[0] < span[1]]
    for start, end in taken:
        cut: list[Span] = []
        for low, high in left:
            cut += [(low, min(high, start)), (max(low, end), high)] if start < high and end > low else [(low, high)]
        left = [span for span in cut if span[0] < span[1]]
    return left


def _first_bytes(writes: Iterable[tuple[int, int, int]], most: int) -> Iterable[tuple[int, int, int]]:
    for file, start, end in writes:
        taken = min(most, end - start)
        if taken <= 0:
            return
        most -= taken
        yield file, start, start + taken


def _repair(number: int, one: _File, surviving: list[Span], tail: Tail) -> FileRepair:
    """A file after the cut: its durable bytes and length, and what survived besides."""
    size = max([one.durable_size, *(end for _, end in surviving)])
    patches = [
        (low, data[low - at : high - at])
        for at, data in one.saved
        for low, high in without([(at, at + len(data))], surviving)
    ]
    if tail == "zeros" and one.size > size:
        patches.append((size, bytes(one.size - size)))
        size = one.size
    holes = without([(one.durable_size, size)], [*surviving, *((at, at + len(data)) for at, data in patches)])
    return FileRepair(number, size, tuple(sorted([*patches, *((low, bytes(high - low)) for low, high in holes)])))

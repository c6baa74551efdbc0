"""What a program was told to be durable, and at which entry of the disk's log: notes that lie outside the disk.

A note is made the moment a durable write returns to the code that acknowledges it. `Expected` folds the notes up to a
power cut into what must then be on the card, byte for byte; `broken` holds a mounted card against that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

NOTES: Final = "notes.jsonl"
Operation = Literal["append", "create", "cut", "whole", "rename", "unlink", "directory", "commit"]


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One durable write that returned. Paths are those below the mount point."""

    operation: Operation
    path: str
    begun: int
    """How many entries the log had when the write was asked for…"""
    at: int
    """…and when it was acknowledged: from here on a power cut must not cost it."""
    at_ns: int
    """CLOCK_BOOTTIME."""
    size: int = 0
    """Of an appended file: how many bytes are durable."""
    sha256: str = ""
    """Of a file that is written as a whole."""
    new: str = ""
    """The new name, of a rename."""
    word: str = ""
    """What was committed, for stores that are no plain files."""


class Notes:
    """The notes of one run, with the bytes that were meant to be in each appended file."""

    def __init__(self, directory: Path) -> None:
        lines = (directory / NOTES).read_bytes().splitlines()
        self.all: list[Note] = sorted((msgspec.json.decode(line, type=Note) for line in lines), key=lambda one: one.at)
        self._mirror = directory / "mirror"
        self._meant: dict[str, bytes] = {}

    def meant(self, path: str) -> bytes:
        """All bytes that were ever appended to a file, whether they became durable or not."""
        if path not in self._meant:
            mirror = self._mirror / mirror_name(path)
            self._meant[path] = mirror.read_bytes() if mirror.exists() else b""
        return self._meant[path]

    def instants(self) -> list[int]:
        """The positions at which something was acknowledged."""
        return sorted({one.at for one in self.all})


def mirror_name(path: str) -> str:
    """A flat name for a path."""
    return path.replace("/", "%")


@dataclass
class Expected:
    """What must be on the card after a power cut behind so many entries."""

    notes: Notes
    appended: dict[str, int] = field(default_factory=dict)
    whole: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    commits: set[str] = field(default_factory=set)
    under_way: list[Note] = field(default_factory=list)
    """Asked for, and not yet acknowledged: the card may show it or not."""

    @classmethod
    def after(cls, notes: Notes, entries: int) -> Expected:
        found = cls(notes)
        for note in notes.all:
            if note.at <= entries:
                found._take(note)
        found.under_way = [one for one in notes.all if one.begun <= entries < one.at]
        return found

    def _forget(self, path: str) -> None:
        self.appended.pop(path, None)
        self.whole.pop(path, None)
        self.gone.discard(path)

    def _take(self, note: Note) -> None:
        if note.operation == "commit":
            self.commits.add(note.word)
            return
        if note.operation == "directory":
            self.directories.add(note.path)
            return
        size, digest = self.appended.get(note.path), self.whole.get(note.path)
        self._forget(note.path)
        if note.operation in ("append", "create", "cut"):
            self.appended[note.path] = note.size
        elif note.operation == "whole":
            self.whole[note.path] = note.sha256
        else:
            self.gone.add(note.path)
        if note.operation == "rename":
            self._forget(note.new)
            if size is not None:
                digest = hashlib.sha256(self.notes.meant(note.path)[:size]).hexdigest()
            if digest is not None:
                self.whole[note.new] = digest

    def _may(self, path: str) -> tuple[bool, set[str]]:
        """Whether the path may be gone or shorter by now, and which other contents it may have."""
        mine = [one for one in self.under_way if path in (one.path, one.new)]
        gone = any(one.operation in ("unlink", "rename", "cut") and one.path == path for one in mine)
        others = {one.sha256 for one in mine if one.operation == "whole"}
        others |= {self.whole.get(one.path, "") for one in mine if one.new == path}
        return gone, others

    def broken(self, card: Path) -> list[str]:
        """What was acknowledged and is not there, one sentence each."""
        found = [f"the directory {one} is gone" for one in sorted(self.directories) if not (card / one).is_dir()]
        for path, size in sorted(self.appended.items()):
            if self._may(path)[0]:
                continue
            if not (card / path).is_file():
                found.append(f"{path} is gone, with {size} acknowledged bytes")
                continue
            held, meant = (card / path).read_bytes(), self.notes.meant(path)
            if held[:size] != meant[:size]:
                found.append(f"{path}: of {size} acknowledged bytes {_same(held, meant)} are there")
        for path, digest in sorted(self.whole.items()):
            gone, others = self._may(path)
            if not (card / path).is_file():
                found += [] if gone else [f"{path} is gone, and its content was acknowledged"]
            elif hashlib.sha256((card / path).read_bytes()).hexdigest() not in {digest, *others}:
                found.append(f"{path} holds something else than what was acknowledged")
        touched = {name for one in self.under_way for name in (one.path, one.new)}
        back = [path for path in sorted(self.gone - touched) if (card / path).exists()]
        return found + [f"{path} is back, and its removal was acknowledged" for path in back]


def _same(held: bytes, meant: bytes) -> int:
    """How many bytes from the beginning on are the same."""
    least = min(len(held), len(meant))
    if held[:least] == meant[:least]:
        return least
    low, high = 0, least
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held[:middle] == meant[:middle] else (low, middle)
    return low

"""What `probe` reads: a machine's own /dev, /proc and /sys, or a copy of them that somebody sent (`--root DIR`)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from device.errors import CannotCopy

FILE_BYTES: Final = 4096
"""Enough for every file that is read; a longer one is cut."""
MOST_ENTRIES: Final = 512
TEXT_LONGEST: Final = 80
"""What a device calls itself is cut after so many characters."""

ANY: Final = r".*"
MARK: Final = ".there"
"""What a copy holds in a directory, or in place of a device, that was only seen to be there."""

State = Literal["found", "missing", "check", "none"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a board, and what was seen of it."""

    part: str
    state: State
    """``found``; ``missing``: the board needs it; ``check``: there, and not as it should be, or worth having; ``none``:
    not there, and not needed."""
    seen: str
    """What was seen, in a sentence without a full stop."""
    advice: str = ""
    """What to do."""


class Tree:
    """Reads small files below `root`. What is not there or cannot be read is None or empty, never an error."""

    def __init__(self, root: Path = Path("/"), *, copy: Path | None = None) -> None:
        """With `copy` everything that is found is written below it, so that somebody else can look at it."""
        self._root, self._copy = root, copy

    @property
    def live(self) -> bool:
        """Whether this is the machine that the program runs on: only then devices can be asked."""
        return self._root == Path("/")

    def path(self, name: str) -> Path:
        """Where the machine's file `name` is.

        Raises OSError for a link that leads out of a copy: a tree that somebody sent shows its own files only.
        """
        path = self._root / name.lstrip("/")
        if not self.live and not path.resolve().is_relative_to(self._root.resolve()):
            raise OSError(f"{path} leads out of {self._root}")
        return path

    def text(self, name: str) -> str | None:
        """A file's text, without the zero bytes that the device tree ends its strings with."""
        try:
            # Not blocking: in a copy there may be a pipe where the machine had a file.
            descriptor = os.open(self.path(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.read(descriptor, FILE_BYTES)
        except OSError:  # a sensor that does not answer, a directory, an empty pipe
            return None
        finally:
            os.close(descriptor)
        if not data:
            return None
        self._keep(name, data)
        return data.replace(b"\0", b"").decode("utf-8", "replace").strip()

    def word(self, name: str) -> str | None:
        """A file's first line as something to print."""
        text = self.text(name)
        if not text:
            return None
        return "".join(one if one.isprintable() else "?" for one in text.splitlines()[0])[:TEXT_LONGEST]

    def number(self, name: str) -> int | None:
        """A file's whole number."""
        text = self.text(name)
        return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,18}", text) else None

    def entries(self, name: str, pattern: str = ANY) -> list[str]:
        """Names in a directory that match, numbers in the order of numbers."""
        try:
            names = [one.name for one, _ in zip(self.path(name).iterdir(), range(MOST_ENTRIES), strict=False)]
        except OSError:
            return []
        found = [one for one in names if re.fullmatch(pattern, one)]
        if pattern != ANY:
            for one in found:
                self._keep(f"{name}/{one}/{MARK}")
        return sorted(found, key=lambda one: [int(part) if part.isdigit() else part for part in _parts(one)])

    def named(self, folder: str, pattern: str, file: str = "name") -> Iterator[tuple[str, str]]:
        """(entry, what its file says) of each entry that has it, e.g. video nodes with their names."""
        for entry in self.entries(folder, pattern):
            said = self.word(f"{folder}/{entry}/{file}")
            if said is not None:
                yield entry, said

    def exists(self, name: str) -> bool:
        """Whether it is there; also if it may not be opened."""
        there = self._mode(name) is not None
        if there:
            self._keep(name)
        return there

    def is_device(self, name: str) -> bool:
        """Whether it is a character device, which can be asked, and not its copy."""
        mode = self._mode(name)
        return mode is not None and stat.S_ISCHR(mode)

    def _keep(self, name: str, data: bytes = b"") -> None:
        """Put a file into the copy; of what was only seen to be there, an empty one. Raises `CannotCopy`."""
        if self._copy is None:
            return
        path = self._copy / name.lstrip("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if data or not path.exists():
                path.write_bytes(data)
        except OSError as error:
            raise CannotCopy(f"{path}: cannot be written: {error.strerror}") from error

    def _mode(self, name: str) -> int | None:
        try:
            return self.path(name).stat().st_mode
        except (OSError, ValueError):
            return None


def _parts(name: str) -> list[str]:
    """Alternately text and digits, beginning with text, so that lists of them can be compared."""
    return re.split(r"([0-9]+)", name)

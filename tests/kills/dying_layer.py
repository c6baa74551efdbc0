"""A card on which a program dies at its n-th durable step, by SIGKILL: before it, or with half of a write done.

What `evidence.durable` asks the operating system for counts as a step, and so does each statement with which SQLite
changes something. Whoever tries n = 1, 2, 3… until the program outlives it has killed it at every step there is.
"""

from __future__ import annotations

import mmap
import os
import signal
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from evidence import durable
from evidence.durable import Buffer, OperatingSystem

_CHANGES: Final = ("INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "REPLACE")


class Steps:
    """Counts the durable steps of one life, also for the parent of the process that makes them."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    @property
    def count(self) -> int:
        """Steps that were begun."""
        found: int = struct.unpack("<Q", self._memory[:8])[0]
        return found

    def next(self) -> int:
        """One more begins; its number."""
        number = self.count + 1
        self._memory[:8] = struct.pack("<Q", number)
        return number

    def close(self) -> None:
        self._memory.close()


def die() -> None:
    """As `kill -9` ends it: nothing is flushed, nobody is told, no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingLayer(OperatingSystem):
    """The operating system; at step `at` the process dies: before the step, or if `torn` after half of its write."""

    def __init__(self, steps: Steps, at: int | None, *, torn: bool = False) -> None:
        self._steps = steps
        self._at = at
        self._torn = torn

    def step(self) -> bool:
        """Count one; whether a write is to be torn now."""
        if self._steps.next() != self._at:
            return False
        if not self._torn:
            die()
        return True

    def _whole(self) -> None:
        if self.step():
            die()

    def open(self, path: Path, flags: int, mode: int) -> int:
        if flags & (os.O_CREAT | os.O_TRUNC):
            self._whole()
        return super().open(path, flags, mode)

    def write(self, descriptor: int, parts: Sequence[Buffer]) -> int:
        if self.step():
            data = b"".join(bytes(part) for part in parts)
            os.write(descriptor, data[: len(data) // 2])
            die()
        return super().write(descriptor, parts)

    def truncate(self, descriptor: int, size: int) -> None:
        self._whole()
        super().truncate(descriptor, size)

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        self._whole()
        super().sync(descriptor, mode=mode)

    def sync_directory(self, path: Path) -> None:
        self._whole()
        super().sync_directory(path)

    def replace(self, old: Path, new: Path) -> None:
        self._whole()
        super().replace(old, new)

    def link(self, old: Path, new: Path) -> None:
        self._whole()
        super().link(old, new)

    def unlink(self, path: Path) -> None:
        self._whole()
        super().unlink(path)

    def make_directory(self, path: Path, mode: int) -> None:
        self._whole()
        super().make_directory(path, mode)


def put_under(steps: Steps, at: int | None, *, torn: bool) -> None:
    """Put the layer under this process, for good, and SQLite's changes with it."""
    layer = DyingLayer(steps, at, torn=torn)
    durable.install(layer)
    connect = sqlite3.connect

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, /, *values: Any) -> sqlite3.Cursor:
            if sql.lstrip().upper().startswith(_CHANGES) and layer.step():
                die()
            return super().execute(sql, *values)

    def counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **{"factory": Counting, **options})

    sqlite3.connect = counted  # type: ignore[assignment]

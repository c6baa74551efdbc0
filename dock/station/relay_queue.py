"""What a relaying station has taken in, what of it the archive holds, and what was removed here: one durable table."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS relayed (
  taken INTEGER PRIMARY KEY, stored TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,
  first INTEGER NOT NULL, deferred INTEGER NOT NULL, retention_class TEXT, hold INTEGER NOT NULL DEFAULT 1,
  archived_as TEXT, archived_ns INTEGER, removed_ns INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON relayed (first DESC, taken) WHERE archived_ns IS NULL;
CREATE INDEX IF NOT EXISTS kept ON relayed (archived_ns, stored) WHERE removed_ns IS NULL;
"""
_PAGE: Final = 500


@dataclass(frozen=True)
class Relayed:
    """One file in the station's own store: a row as it stands in the table."""

    taken: int
    stored: str
    sha256: str
    bytes: int
    first: bool
    deferred: bool
    """Its receipt comes from the archive."""
    retention_class: str | None
    """As the camera signed it."""
    hold: bool
    """The camera signed `hold` into it, as far as is known."""
    archived_as: str | None
    """Its name in the archive, once the archive gave every byte back."""
    archived_ns: int | None
    removed_ns: int | None
    """When the station's own copy was removed."""


class RelayQueue:
    """SQLite, WAL and FULL. Calls block, from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """No more calls."""
        with self._lock:
            self._database.close()

    def put(
        self, stored: str, sha256: str, size: int, *, first: bool, deferred: bool, retention_class: str | None
    ) -> None:
        """Remember a file, unless it is known. Durable."""
        self._write(
            "INSERT OR IGNORE INTO relayed (stored, sha256, bytes, first, deferred, retention_class) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            stored,
            sha256,
            size,
            first,
            deferred,
            retention_class,
        )

    def find(self, stored: str) -> Relayed | None:
        """One file."""
        return next(iter(self._read("SELECT * FROM relayed WHERE stored = ?", stored)), None)

    def waiting(self, leave_out: Callable[[str], bool]) -> Relayed | None:
        """What is passed on next: critical recordings first, then the oldest."""
        rows = self._read("SELECT * FROM relayed WHERE archived_ns IS NULL ORDER BY first DESC, taken LIMIT ?", _PAGE)
        return next((row for row in rows if not leave_out(row.stored)), None)

    def removable(self, before_ns: int) -> Iterator[Relayed]:
        """What is in the archive since before then and is still here, the oldest first."""
        after_ns, after = -1, ""
        while rows := self._read(
            "SELECT * FROM relayed WHERE removed_ns IS NULL AND archived_ns < ? "
            "AND (archived_ns, stored) > (?, ?) ORDER BY archived_ns, stored LIMIT ?",
            before_ns,
            after_ns,
            after,
            _PAGE,
        ):
            yield from rows
            after_ns, after = rows[-1].archived_ns or 0, rows[-1].stored

    def backlog(self) -> tuple[int, int]:
        """Files and bytes that the archive does not have yet."""
        with self._lock:
            row = self._database.execute(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM relayed WHERE archived_ns IS NULL"
            ).fetchone()
        return row[0], row[1]

    def archived(self, stored: str, archived_as: str, at_ns: int, *, hold: bool) -> None:
        """The archive has it. Durable."""
        self._write(
            "UPDATE relayed SET archived_as = ?, archived_ns = ?, hold = ? WHERE stored = ?",
            archived_as,
            at_ns,
            hold,
            stored,
        )

    def again(self, stored: str) -> None:
        """The archive has lost it. Durable."""
        self._write("UPDATE relayed SET archived_as = NULL, archived_ns = NULL WHERE stored = ?", stored)

    def removed(self, stored: str, at_ns: int) -> None:
        """The station's own copy is gone. Durable."""
        self._write("UPDATE relayed SET removed_ns = ? WHERE stored = ?", at_ns, stored)

    def _write(self, statement: str, *values: str | int | None) -> None:
        with self._lock:
            self._database.execute(statement, values)

    def _read(self, statement: str, *values: str | int) -> list[Relayed]:
        with self._lock:
            rows = self._database.execute(statement, values).fetchall()
        return [Relayed(*row) for row in rows]

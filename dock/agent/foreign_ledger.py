"""What the agent should know about a foreign target after a restart: digests, parts, and what is sent there.

SQLite, WAL, synchronous FULL, in the same file as the upload addresses. Losing it loses nothing but time: what nobody
remembers as sent is sent again, and the station's receipt alone lets a camera delete (invariant 8).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

from dock.transport.s3 import SentPart

log = logging.getLogger(__name__)
_MOST_ROWS: Final = 50_000
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS digests (
    name TEXT, close_hash TEXT, sha256 TEXT NOT NULL, PRIMARY KEY (name, close_hash)
) STRICT;
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT, number INTEGER, etag TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (upload, number)
) STRICT;
CREATE TABLE IF NOT EXISTS sent (
    target TEXT, name TEXT, close_hash TEXT, sha256 TEXT NOT NULL, at TEXT NOT NULL, told INTEGER NOT NULL,
    PRIMARY KEY (target, name, close_hash)
) STRICT;
"""


class ForeignLedger:
    """Calls block, from any thread; a database that cannot be used is told in the log, and nothing is kept."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        try:
            self._database = self._open(path)
        except sqlite3.Error as error:
            log.error("what is sent is not kept over a restart, %s cannot be used: %s", path, error)
            self._database = self._open(":memory:")

    @staticmethod
    def _open(path: Path | str) -> sqlite3.Connection:
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(_TABLES)
        return database

    def digest(self, name: str, close_hash: str) -> str | None:
        """SHA-256 of a file that was read before."""
        rows = self._run("SELECT sha256 FROM digests WHERE name = ? AND close_hash = ?", name, close_hash)
        return str(rows[0][0]) if rows else None

    def keep_digest(self, name: str, close_hash: str, sha256: str) -> None:
        """A closed file does not change: it is read for its digest once."""
        self._run("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", name, close_hash, sha256)

    def parts(self, upload: str) -> list[SentPart]:
        """`dock.transport.s3.PartBook`."""
        rows = self._run("SELECT number, etag, sha256 FROM parts WHERE upload = ? ORDER BY number", upload)
        return [SentPart(*row) for row in rows]

    def keep(self, upload: str, part: SentPart) -> None:
        """`dock.transport.s3.PartBook`."""
        self._run("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", upload, part.number, part.etag, part.sha256)

    def sent(self, target: str, name: str, close_hash: str) -> str | None:
        """SHA-256 of what was sent there, if all of it was."""
        rows = self._run(
            "SELECT sha256 FROM sent WHERE target = ? AND name = ? AND close_hash = ?", target, name, close_hash
        )
        return str(rows[0][0]) if rows else None

    def told(self, target: str, name: str, close_hash: str) -> bool:
        """Whether the station took note of it."""
        rows = self._run(
            "SELECT told FROM sent WHERE target = ? AND name = ? AND close_hash = ?", target, name, close_hash
        )
        return bool(rows and rows[0][0])

    def keep_sent(
        self, target: str, name: str, close_hash: str, *, sha256: str, at: str, told: bool, upload: str
    ) -> None:
        """All of it is at the target; its parts are not needed any more."""
        self._run(
            "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?)", target, name, close_hash, sha256, at, int(told)
        )
        self._run("DELETE FROM parts WHERE upload = ?", upload)
        self._run("DELETE FROM digests WHERE name = ? AND close_hash = ?", name, close_hash)
        for table in ("sent", "parts", "digests"):  # what was begun and given up adds up in years
            self._run(f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ?", _MOST_ROWS)  # noqa: S608

    def forget(self, target: str, name: str, close_hash: str) -> None:
        """It has its receipt, or the station did not find it there."""
        self._run("DELETE FROM sent WHERE target = ? AND name = ? AND close_hash = ?", target, name, close_hash)
        self._run("DELETE FROM digests WHERE name = ? AND close_hash = ?", name, close_hash)

    def _run(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                log.error("what is sent: %s", error)
                return []

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

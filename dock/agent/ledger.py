"""What the agent should know after a restart: the address of each upload in work. SQLite, WAL, synchronous FULL.

Losing it loses nothing but time: a file that is announced again is the same upload. So a full or broken disk never
stops an upload, which is what makes room again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path

log = logging.getLogger(__name__)


def open_ledger(path: Path) -> UploadLedger:
    """The ledger in that file; in memory, and said so, if the file cannot be used."""
    try:
        return UploadLedger(path)
    except sqlite3.Error as error:
        log.error("upload addresses are not kept over a restart, %s cannot be used: %s", path, error)
        return UploadLedger(":memory:")


class UploadLedger:
    """Upload addresses by file and station. Calls block. The constructor raises sqlite3.Error, nothing else does."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS uploads (station TEXT NOT NULL, name TEXT NOT NULL, close_hash TEXT NOT NULL, "
            "address TEXT NOT NULL, PRIMARY KEY (station, name, close_hash)) STRICT"
        )

    def address(self, station: str, name: str, close_hash: str) -> str | None:
        """Where the upload of that file is, if it was announced there."""
        rows = self._run(
            "SELECT address FROM uploads WHERE station = ? AND name = ? AND close_hash = ?", station, name, close_hash
        )
        return str(rows[0][0]) if rows else None

    def remember(self, station: str, name: str, close_hash: str, address: str) -> None:
        """Durable when it returns, if the disk allows."""
        self._run("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", station, name, close_hash, address)

    def forget(self, station: str, name: str, close_hash: str) -> None:
        """The file has its receipt, or the station forgot the upload."""
        self._run("DELETE FROM uploads WHERE station = ? AND name = ? AND close_hash = ?", station, name, close_hash)

    def _run(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        with self._lock:
            try:
                return self._database.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                log.error("upload addresses: %s", error)
                return []

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

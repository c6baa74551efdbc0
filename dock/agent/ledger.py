"""What the agent must know after a restart: the address of each upload in work. SQLite, WAL, synchronous FULL.

Losing it loses nothing but time: a file that is announced again is the same upload.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path


class UploadLedger:
    """Upload addresses by file and station. Calls block. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
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
        query = "SELECT address FROM uploads WHERE station = ? AND name = ? AND close_hash = ?"
        with self._lock:
            row = self._database.execute(query, (station, name, close_hash)).fetchone()
        return str(row[0]) if row else None

    def remember(self, station: str, name: str, close_hash: str, address: str) -> None:
        """Durable when it returns."""
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", (station, name, close_hash, address)
            )

    def forget(self, station: str, name: str, close_hash: str) -> None:
        """The file has its receipt, or the station forgot the upload."""
        with self._lock:
            self._database.execute(
                "DELETE FROM uploads WHERE station = ? AND name = ? AND close_hash = ?", (station, name, close_hash)
            )

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

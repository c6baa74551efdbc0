"""How far each camera's clock was off at each docking: history for technicians, in SQLite (invariant 10)."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence import durable

MOST: Final = 2000
"""Measurements kept for each camera: years of dockings."""
SAME_S: Final = 3600
"""The same measurement is reported again and again within a session."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement."""

    at_ns: int
    """By the station's clock, nanoseconds since 1970."""
    offset_ms: int
    """The camera's clock minus the station's."""
    uncertainty_ms: int


class ClockBook:
    """The book. Calls block, from any thread."""

    def __init__(self, directory: Path) -> None:
        durable.make_directory(directory)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            directory / "clocks.sqlite", timeout=15, check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS clocks (serial TEXT NOT NULL, at_ns INTEGER NOT NULL, offset_ms INTEGER NOT "
            "NULL, uncertainty_ms INTEGER NOT NULL, PRIMARY KEY (serial, at_ns)) STRICT"
        )

    def note(self, serial: str, now: Measured) -> bool:
        """Keep it; False if it is the same measurement once more."""
        with self._lock:
            last = self._newest(serial, 1)
            if (
                last
                and (last[0].offset_ms, last[0].uncertainty_ms) == (now.offset_ms, now.uncertainty_ms)
                and abs(now.at_ns - last[0].at_ns) < SAME_S * 10**9
            ):
                return False
            self._database.execute(
                "INSERT OR REPLACE INTO clocks VALUES (?, ?, ?, ?)",
                (serial, now.at_ns, now.offset_ms, now.uncertainty_ms),
            )
            self._database.execute(
                "DELETE FROM clocks WHERE serial = ? AND at_ns NOT IN "
                "(SELECT at_ns FROM clocks WHERE serial = ? ORDER BY at_ns DESC LIMIT ?)",
                (serial, serial, MOST),
            )
            return True

    def history(self, serial: str, most: int = 200) -> list[Measured]:
        """The newest measurements of a camera, newest first."""
        with self._lock:
            return self._newest(serial, most)

    def _newest(self, serial: str, most: int) -> list[Measured]:
        rows = self._database.execute(
            "SELECT at_ns, offset_ms, uncertainty_ms FROM clocks WHERE serial = ? ORDER BY at_ns DESC LIMIT ?",
            (serial, most),
        ).fetchall()
        return [Measured(*row) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._database.close()

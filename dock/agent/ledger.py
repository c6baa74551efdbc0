"""What the agent should know after a restart. SQLite, WAL, synchronous FULL.

The address of each upload in work; which files are settled, so that nobody is asked about them again and again; what
was sent over a link that costs money. Losing it loses nothing but time: a file that is announced again is the same
upload. So a full or broken disk never stops an upload, which is what makes room again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

log = logging.getLogger(__name__)
Verdict = Literal["rejected", "not_valid", "unproven", "refused"]
_DAYS: Final = 32
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS uploads (
    station TEXT NOT NULL, name TEXT NOT NULL, close_hash TEXT NOT NULL, address TEXT NOT NULL,
    PRIMARY KEY (station, name, close_hash)) STRICT;
CREATE TABLE IF NOT EXISTS settled (
    name TEXT NOT NULL, close_hash TEXT NOT NULL, station TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
    receipt TEXT NOT NULL, told_by TEXT NOT NULL, since_s REAL NOT NULL, asked_s REAL NOT NULL,
    PRIMARY KEY (name, close_hash)) STRICT;
CREATE TABLE IF NOT EXISTS aside (
    station TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (station, name, bytes)) STRICT;
CREATE TABLE IF NOT EXISTS spent (day TEXT NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Settled:
    """A file that stays on the camera until somebody does something about it. It is asked about again now and then."""

    name: str
    close_hash: str
    station: str
    """Address of the station that said so."""
    verdict: Verdict
    """`rejected`: never storable there (400). `refused`: the recorder did not take its receipt."""
    reason: str
    receipt: str = ""
    """SHA-256 of the receipt, if there is one."""
    told_by: str = ""
    """What the station says of itself: another version is asked again at once."""
    since_s: float = 0.0
    """Since when, seconds since 1970 by the camera's clock."""
    asked_s: float = 0.0
    """When it was asked about last, likewise."""


def open_ledger(path: Path) -> UploadLedger:
    """The ledger in that file; in memory, and said so, if the file cannot be used."""
    try:
        return UploadLedger(path)
    except sqlite3.Error as error:
        log.error("nothing is kept over a restart, the ledger %s cannot be used: %s", path, error)
        return UploadLedger(":memory:")


class UploadLedger:
    """Upload addresses, settled files, bytes by day. Calls block.

    The constructor raises sqlite3.Error, nothing else does.
    """

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)

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

    # --- files that stay until somebody does something ----------------------------------------------------------------

    def settle(self, one: Settled) -> None:
        """Keep it, in place of what was settled about that file before."""
        self._run(
            "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(one.name, one.close_hash, one.station, one.verdict, one.reason, one.receipt, one.told_by),
            *(one.since_s, one.asked_s),
        )

    def settled(self) -> list[Settled]:
        """All of them, by name."""
        return [Settled(*row) for row in self._run("SELECT * FROM settled ORDER BY name, close_hash")]

    def unsettle(self, name: str, close_hash: str) -> None:
        """It has its valid receipt, or is not on the camera any more."""
        self._run("DELETE FROM settled WHERE name = ? AND close_hash = ?", name, close_hash)

    # --- objects beside the evidence ----------------------------------------------------------------------------------

    def aside_sent(self, station: str) -> set[tuple[str, int]]:
        """Name and size of the objects that the station has."""
        return {
            (str(row[0]), int(row[1])) for row in self._run("SELECT name, bytes FROM aside WHERE station = ?", station)
        }

    def send_aside(self, station: str, name: str, size: int) -> None:
        """The station has that object."""
        self._run("INSERT OR REPLACE INTO aside VALUES (?, ?, ?)", station, name, size)

    # --- what was sent over a link that costs money -------------------------------------------------------------------

    def spent(self, day: str) -> int:
        """Bytes that were sent, or were about to be, on that day."""
        rows = self._run("SELECT bytes FROM spent WHERE day = ?", day)
        return int(rows[0][0]) if rows else 0

    def spend(self, day: str, count: int) -> None:
        """Count bytes before they are sent. Durable when it returns, if the disk allows."""
        self._run(
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes", day, count
        )
        self._run("DELETE FROM spent WHERE day NOT IN (SELECT day FROM spent ORDER BY day DESC LIMIT ?)", _DAYS)

    def _run(self, statement: str, *values: str | float) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                log.error("the agent's ledger: %s", error)
                return []

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

"""Malfunctions of all cameras, and what people did about them (R11, R29). SQLite, WAL and FULL; nothing is taken out.

A camera's own queue keeps only its newest items; whatever was seen once stays here until a supervisor closes it, and
after that as well.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dock.errors import AlreadyClosed, NoSuchMalfunction
from dock.mqtt.messages import QueueItem

SHOWN: Final = 100
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS malfunctions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, serial TEXT NOT NULL, item INTEGER NOT NULL, noticed TEXT NOT NULL,
    cause TEXT NOT NULL, component TEXT NOT NULL, start TEXT, over TEXT, recording TEXT, frames INTEGER NOT NULL,
    told INTEGER NOT NULL, reported_by TEXT, seen_at TEXT NOT NULL, closed_at TEXT, closed_by TEXT, outcome TEXT,
    replacement TEXT, UNIQUE (serial, item, noticed)) STRICT;
CREATE INDEX IF NOT EXISTS malfunctions_open ON malfunctions (closed_at, id);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, malfunction INTEGER NOT NULL REFERENCES malfunctions, at TEXT NOT NULL,
    who TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS notes_of ON notes (malfunction, id);
"""
_COLUMNS: Final = (
    "id, serial, item, noticed, cause, component, start, over, recording, frames, told, reported_by, seen_at, "
    "closed_at, closed_by, outcome, replacement"
)
Which = Literal["open", "closed", "all"]


@dataclass(frozen=True)
class Malfunction:
    """One item, with how it ended."""

    id: int
    serial: str
    item: int
    """Its number in the camera's queue; negative for what a person reported at the dock."""
    noticed: str
    cause: str
    component: str
    start: str | None
    over: str | None
    """When the failure itself was over; None while it lasts, or if nobody knows."""
    recording: str | None
    frames: int
    told: int
    """1 if the officer was alarmed."""
    reported_by: str | None
    seen_at: str
    """When the station first heard of it."""
    closed_at: str | None
    closed_by: str | None
    outcome: str | None
    replacement: str | None


@dataclass(frozen=True)
class Note:
    """What somebody wrote."""

    at: str
    who: str
    text: str


class MalfunctionBook:
    """All of them. Calls block, from any thread. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def known(self, serial: str, item: QueueItem) -> bool:
        """Whether that item of that camera was seen before; when it was over is brought up to date."""
        with self._lock:
            row = self._database.execute(
                "SELECT id, over FROM malfunctions WHERE serial = ? AND item = ? AND noticed = ?",
                (serial, item.id, item.noticed),
            ).fetchone()
            if row is not None and row[1] != item.end:
                self._database.execute(
                    "UPDATE malfunctions SET over = ?, frames = ? WHERE id = ?", (item.end, item.frames, row[0])
                )
        return row is not None

    def add(self, serial: str, item: QueueItem, at: str) -> int:
        """An item of a camera's queue that is new. Its number here."""
        found = (serial, item.id, item.noticed, item.cause, item.component, item.start, item.end, item.recording)
        return self._add((*found, item.frames, int(item.told), None, at))

    def report(self, serial: str, component: str, who: str, at: str) -> int:
        """Something that a person noticed. Its number here."""
        with self._lock:
            (least,) = self._database.execute("SELECT coalesce(min(item), 0) FROM malfunctions").fetchone()
            return self._add((serial, min(least, 0) - 1, at, "reported", component, None, None, None, 0, 1, who, at))

    def _add(self, values: tuple[Any, ...]) -> int:
        with self._lock:
            row = self._database.execute(
                "INSERT INTO malfunctions (serial, item, noticed, cause, component, start, over, recording, frames, "
                "told, reported_by, seen_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                values,
            )
            assert row.lastrowid is not None
            return row.lastrowid

    def find(self, which: Which, *, serial: str | None = None, before: int = 2**62) -> list[Malfunction]:
        """The newest first, one more than a page shows."""
        query = (
            f"SELECT {_COLUMNS} FROM malfunctions WHERE (?1 = 'all' OR (closed_at IS NULL) = (?1 = 'open')) "  # noqa: S608
            "AND (?2 IS NULL OR serial = ?2) AND id < ?3 ORDER BY id DESC LIMIT ?4"
        )
        with self._lock:
            rows = self._database.execute(query, (which, serial, before, SHOWN + 1)).fetchall()
        return [Malfunction(*row) for row in rows]

    def count_open(self) -> int:
        """How many wait for a supervisor."""
        with self._lock:
            (count,) = self._database.execute("SELECT count(*) FROM malfunctions WHERE closed_at IS NULL").fetchone()
        return int(count)

    def get(self, number: int) -> Malfunction:
        """One of them. Raises `NoSuchMalfunction`."""
        with self._lock:
            row = self._database.execute(f"SELECT {_COLUMNS} FROM malfunctions WHERE id = ?", (number,)).fetchone()  # noqa: S608
        if row is None:
            raise NoSuchMalfunction(f"there is no malfunction {number}")
        return Malfunction(*row)

    def notes(self, number: int) -> list[Note]:
        """What was written about it, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT at, who, text FROM notes WHERE malfunction = ? ORDER BY id", (number,)
            ).fetchall()
        return [Note(*row) for row in rows]

    def note(self, number: int, who: str, text: str, at: str) -> None:
        """Write something about it."""
        with self._lock:
            self._database.execute(
                "INSERT INTO notes (malfunction, at, who, text) VALUES (?,?,?,?)", (number, at, who, text)
            )

    def close_one(self, number: int, who: str, outcome: str, replacement: str | None, at: str) -> None:
        """It is settled. Raises `AlreadyClosed` if somebody was faster."""
        with self._lock:
            done = self._database.execute(
                "UPDATE malfunctions SET closed_at = ?, closed_by = ?, outcome = ?, replacement = ? "
                "WHERE id = ? AND closed_at IS NULL",
                (at, who, outcome, replacement, number),
            )
            if done.rowcount != 1:
                raise AlreadyClosed(f"malfunction {number} is closed already; load the page again")

    def close(self) -> None:
        self._database.close()

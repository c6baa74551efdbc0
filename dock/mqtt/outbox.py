"""Telemetry that survives a power cut: a row in SQLite first, the broker second (WAL, synchronous FULL).

A publish lives in memory only, and not even a PUBACK is durable at the broker; so a row is deleted when the broker
acknowledged it, and what was in flight at a crash is sent again. Consumers drop duplicates by the event's id.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["state", "evt", "rsp"]
_DROP_ORDER: Final = ("rsp", "state", "evt")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    row INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    time TEXT NOT NULL, data TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS outbox_kind ON outbox (kind, row);
CREATE TABLE IF NOT EXISTS dropped (kind TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Row:
    """One message that waits for the broker."""

    row: int
    boot: str
    kind: Kind
    name: str
    time: str
    data: dict[str, Any]


class Outbox:
    """At most `max_rows` rows. Full: answers to commands go first, then states, and events (oldest first) only when
    nothing else is left; how many went is counted and told in the next state. Calls block. Raises sqlite3.Error."""

    def __init__(self, path: Path, *, max_rows: int) -> None:
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)
        self._rows = int(self._database.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def __len__(self) -> int:
        return self._rows

    def put(self, boot: str, kind: Kind, name: str, time: str, data: dict[str, Any]) -> int:
        """Keep a message; durable when it returns. The row's number, which is never used again."""
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
        with self._lock, self._transaction():
            if kind == "state":  # only the newest matters
                self._rows -= self._database.execute("DELETE FROM outbox WHERE kind = 'state'").rowcount
            while self._rows >= self._max_rows:
                self._drop_one()
            cursor = self._database.execute(
                "INSERT INTO outbox (boot, kind, name, time, data) VALUES (?, ?, ?, ?, ?)",
                (boot, kind, name, time, text),
            )
            self._rows += 1
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def oldest(self, limit: int, *, but: Collection[int] = ()) -> list[Row]:
        """The next rows to send, without those in flight."""
        with self._lock:
            found = self._database.execute(
                "SELECT row, boot, kind, name, time, data FROM outbox ORDER BY row LIMIT ?", (limit + len(but),)
            ).fetchall()
        rows = [Row(row, boot, kind, name, time, json.loads(data)) for row, boot, kind, name, time, data in found]
        return [row for row in rows if row.row not in but][:limit]

    def delete(self, row: int) -> None:
        """The broker has it. A row that is gone already is no error."""
        with self._lock:
            self._rows -= self._database.execute("DELETE FROM outbox WHERE row = ?", (row,)).rowcount

    def count(self, kind: Kind) -> int:
        """Rows of one kind."""
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM outbox WHERE kind = ?", (kind,)).fetchone()[0])

    def dropped(self) -> dict[str, int]:
        """How many rows of each kind were ever given up for want of room."""
        with self._lock:
            return dict(self._database.execute("SELECT kind, rows FROM dropped").fetchall())

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _drop_one(self) -> None:
        for kind in _DROP_ORDER:
            gone = self._database.execute(
                "DELETE FROM outbox WHERE row = (SELECT min(row) FROM outbox WHERE kind = ?)", (kind,)
            ).rowcount
            if gone:
                self._rows -= gone
                self._database.execute(
                    "INSERT INTO dropped VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET rows = rows + 1", (kind,)
                )
                return
        self._rows = 0

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._rows
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._rows = before
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

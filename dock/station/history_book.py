"""What technicians look back at: a camera's health over days, thinned, and what happened to it (R8, R36, R39). SQLite.

1. One sample a minute is kept for `FINE_DAYS`, one a quarter of an hour for `MIDDLE_DAYS`, one in four hours after
   that, for `LAST_DAYS` in all. Numbers only: no officer, no position, no evidence.
2. It is no evidence and nothing depends on it: synchronous NORMAL, so that a power cut may cost the last minutes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

EVERY_S: Final = 60
FINE_DAYS: Final = 2
MIDDLE_DAYS: Final = 60
LAST_DAYS: Final = 400
_DAY_S: Final = 86_400
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS samples (
    serial TEXT NOT NULL, at_s INTEGER NOT NULL, battery INTEGER, runtime INTEGER, free INTEGER, backlog INTEGER,
    files INTEGER, offset_ms INTEGER, battery_c INTEGER, board_c INTEGER,
    PRIMARY KEY (serial, at_s)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS happenings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, serial TEXT NOT NULL, at_s INTEGER NOT NULL, what TEXT NOT NULL,
    details TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS happenings_of ON happenings (serial, id);
CREATE TABLE IF NOT EXISTS latest (
    serial TEXT PRIMARY KEY, docked INTEGER NOT NULL, seen_s INTEGER NOT NULL, firmware TEXT NOT NULL,
    test TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Sample:
    """One moment; None is what nobody said."""

    at_s: int
    battery: int | None
    runtime: int | None
    """Minutes that the battery would last."""
    free: int | None
    backlog: int | None
    """Bytes without a receipt."""
    files: int | None
    offset_ms: int | None
    battery_c: int | None = None
    """Degrees Celsius."""
    board_c: int | None = None


@dataclass(frozen=True)
class Happening:
    """Docked, left, another firmware, another verdict."""

    at_s: int
    what: str
    details: dict[str, str]


@dataclass(frozen=True)
class Latest:
    """What was last known of a camera: a difference from it is a happening."""

    docked: bool
    seen_s: int
    firmware: str
    test: str


class HistoryBook:
    """All cameras. Calls block, from any thread. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def latest(self, serial: str) -> Latest | None:
        with self._lock:
            row = self._database.execute(
                "SELECT docked, seen_s, firmware, test FROM latest WHERE serial = ?", (serial,)
            ).fetchone()
        return Latest(bool(row[0]), *row[1:]) if row is not None else None

    def keep(self, serial: str, latest: Latest, sample: Sample, happenings: Sequence[Happening] = ()) -> None:
        """One report: what is new of it, at once."""
        with self._lock:
            self._database.execute("BEGIN")
            self._database.execute(
                "INSERT OR REPLACE INTO latest VALUES (?,?,?,?,?)",
                (serial, int(latest.docked), latest.seen_s, latest.firmware, latest.test),
            )
            values = (serial, sample.at_s, sample.battery, sample.runtime, sample.free, sample.backlog, sample.files)
            self._database.execute(
                "INSERT OR IGNORE INTO samples VALUES (?,?,?,?,?,?,?,?,?,?)",
                (*values, sample.offset_ms, sample.battery_c, sample.board_c),
            )
            for one in happenings:
                self._database.execute(
                    "INSERT INTO happenings (serial, at_s, what, details) VALUES (?,?,?,?)",
                    (serial, one.at_s, one.what, json.dumps(one.details)),
                )
            self._database.execute("COMMIT")

    def samples(self, serial: str, since_s: int, *, most: int) -> list[Sample]:
        """Oldest first, spread evenly over the time so that there are about `most` at the most."""
        with self._lock:
            first, last = self._database.execute(
                "SELECT min(at_s), max(at_s) FROM samples WHERE serial = ? AND at_s >= ?", (serial, since_s)
            ).fetchone()
            if first is None:
                return []
            width = max(1, -(-(last - first + 1) // most))
            rows = self._database.execute(
                "SELECT max(at_s), battery, runtime, free, backlog, files, offset_ms, battery_c, board_c FROM samples "
                "WHERE serial = ? AND at_s >= ? GROUP BY (at_s - ?) / ? ORDER BY at_s",
                (serial, since_s, first, width),
            ).fetchall()
        return [Sample(*row) for row in rows]

    def happenings(self, serial: str, *, most: int) -> list[Happening]:
        """The newest first."""
        with self._lock:
            rows: list[tuple[Any, ...]] = self._database.execute(
                "SELECT at_s, what, details FROM happenings WHERE serial = ? ORDER BY id DESC LIMIT ?", (serial, most)
            ).fetchall()
        return [Happening(at_s, what, json.loads(details)) for at_s, what, details in rows]

    def thin(self, now_s: int) -> int:
        """Rule 1; how many samples went."""
        ages = ((FINE_DAYS, 900), (MIDDLE_DAYS, 14_400))
        with self._lock:
            before = self._database.total_changes
            for days, width in ages:
                self._database.execute(
                    "DELETE FROM samples WHERE at_s < ?1 AND (serial, at_s) NOT IN (SELECT serial, min(at_s) FROM "
                    "samples WHERE at_s < ?1 GROUP BY serial, at_s / ?2)",
                    (now_s - days * _DAY_S, width),
                )
            oldest = (now_s - LAST_DAYS * _DAY_S,)
            self._database.execute("DELETE FROM samples WHERE at_s < ?", oldest)
            self._database.execute("DELETE FROM happenings WHERE at_s < ?", oldest)
            return self._database.total_changes - before

    def close(self) -> None:
        self._database.close()

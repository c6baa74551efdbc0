"""Who has which camera: the book of the desk, in SQLite (WAL, synchronous FULL), kept for good (R10, R32).

An issue is `waiting` until the camera's recorder has taken the assignment, then `given`, until the camera is back
(`returned`); `refused` by the recorder, `expired` before anybody took the camera, `cancelled` at the desk. A camera is
in one open issue, an officer too: the database itself sees to it. Calls block, from any thread.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from dock.errors import CheckoutRefused
from evidence import durable

State = Literal["waiting", "given", "returned", "refused", "expired", "cancelled"]
OPEN: Final[frozenset[State]] = frozenset({"waiting", "given"})
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS issues (
    row INTEGER PRIMARY KEY AUTOINCREMENT, serial TEXT NOT NULL, officer TEXT NOT NULL COLLATE NOCASE,
    shift TEXT NOT NULL, shift_h REAL NOT NULL, at_ns INTEGER NOT NULL, command BLOB NOT NULL, replaces TEXT,
    replaced INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, changed_ns INTEGER NOT NULL,
    out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS open_camera ON issues (serial) WHERE state IN ('waiting', 'given');
CREATE UNIQUE INDEX IF NOT EXISTS open_officer ON issues (officer)
    WHERE state IN ('waiting', 'given') AND replaced = 0;
CREATE INDEX IF NOT EXISTS by_officer ON issues (officer, row);
CREATE TABLE IF NOT EXISTS withheld (
    serial TEXT PRIMARY KEY, reason TEXT NOT NULL, who TEXT NOT NULL, at_ns INTEGER NOT NULL) STRICT;
"""
_OPEN: Final = "SELECT * FROM issues WHERE state IN ('waiting', 'given') ORDER BY row"
_LAST: Final = "SELECT * FROM issues WHERE officer = ? ORDER BY row DESC LIMIT 1"
_LAST_OF: Final = "SELECT * FROM issues WHERE officer = ? AND serial = ? ORDER BY row DESC LIMIT 1"
_BY_SERIAL: Final = "SELECT * FROM issues WHERE serial = ? ORDER BY row DESC LIMIT ?"
_INSERT: Final = (
    "INSERT INTO issues (serial, officer, shift, shift_h, at_ns, command, replaces, state, changed_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?)"
)
_REPLACED: Final = "UPDATE issues SET replaced = 1 WHERE officer = ? AND serial = ? AND state IN ('waiting', 'given')"


@dataclass(frozen=True, slots=True)
class Issue:
    """One camera for one officer."""

    row: int
    serial: str
    officer: str
    shift: str
    shift_h: float
    at_ns: int
    """When it was checked out, nanoseconds since 1970."""
    command: bytes
    """The signed assignment."""
    replaces: str | None
    """The camera in whose place the officer got this one."""
    replaced: bool
    """Another camera has taken its place."""
    state: State
    changed_ns: int
    out: bool
    """It was seen with its officer: assigned, or out of the dock."""

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def ends_ns(self) -> int:
        """When the shift is over."""
        return self.at_ns + int(self.shift_h * 3600) * 10**9


class IssueBook:
    """The book."""

    def __init__(self, directory: Path) -> None:
        durable.make_directory(directory)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            directory / "checkout.sqlite", timeout=15, check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def open(self) -> list[Issue]:
        """All that are waiting or given, the oldest first."""
        return self._issues(_OPEN)

    def of(self, serial: str) -> Issue | None:
        """The open issue of a camera."""
        return next((one for one in self.open() if one.serial == serial), None)

    def last(self, officer: str, serial: str | None = None) -> Issue | None:
        """The officer's newest issue, of a certain camera if one is named."""
        found = self._issues(_LAST, officer) if serial is None else self._issues(_LAST_OF, officer, serial)
        return found[0] if found else None

    def history(self, serial: str, most: int = 50) -> list[Issue]:
        """The camera's newest issues."""
        return self._issues(_BY_SERIAL, serial, most)

    def last_issued_ns(self) -> dict[str, int]:
        """When each camera was handed out last."""
        with self._lock:
            return dict(self._database.execute("SELECT serial, max(at_ns) FROM issues GROUP BY serial").fetchall())

    def issue(
        self,
        *,
        serial: str,
        officer: str,
        shift: str,
        shift_h: float,
        at_ns: int,
        command: bytes,
        replaces: str | None = None,
    ) -> None:
        """Write a new one down; durable when it returns. Raises `CheckoutRefused` if camera or officer is taken."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                if replaces is not None:
                    self._database.execute(_REPLACED, (officer, replaces))
                self._database.execute(_INSERT, (serial, officer, shift, shift_h, at_ns, command, replaces, at_ns))
            except BaseException as error:
                self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.IntegrityError):
                    raise CheckoutRefused(
                        f"{serial} or {officer} was checked out at this very moment: try again"
                    ) from error
                raise
            self._database.execute("COMMIT")

    def change(self, issue: Issue, state: State, now_ns: int) -> bool:
        """Another state; False if somebody was faster."""
        return self._run(
            "UPDATE issues SET state = ?, changed_ns = ? WHERE row = ? AND state = ?",
            state, now_ns, issue.row, issue.state,
        )  # fmt: skip

    def seen_out(self, issue: Issue) -> None:
        """The camera was seen with its officer."""
        self._run("UPDATE issues SET out = 1 WHERE row = ?", issue.row)

    def withheld(self) -> dict[str, str]:
        """The cameras that are kept back, and why."""
        with self._lock:
            return dict(self._database.execute("SELECT serial, reason FROM withheld").fetchall())

    def withhold(self, serial: str, reason: str, who: str, now_ns: int) -> None:
        """Keep a camera back until somebody has looked at it."""
        self._run("INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?)", serial, reason, who, now_ns)

    def put_back(self, serial: str) -> bool:
        """It may be handed out again; False if it was not kept back."""
        return self._run("DELETE FROM withheld WHERE serial = ?", serial)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _run(self, statement: str, *values: object) -> bool:
        with self._lock:
            return self._database.execute(statement, values).rowcount > 0

    def _issues(self, query: str, *values: object) -> list[Issue]:
        with self._lock:
            cursor = self._database.execute(query, values)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [Issue(**{**row, "replaced": bool(row["replaced"]), "out": bool(row["out"])}) for row in rows]

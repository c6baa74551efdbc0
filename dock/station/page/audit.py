"""Who did what on the page, from which address: each action an entry of the custody ledger, and a row to look it up.

1. The signed and chained ledger is the audit; `audit.sqlite` only finds its entries. A row without its entry is never
   written, an entry without its row (a crash came between) is still in the ledger.
2. Nothing is ever taken out of either.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dock.station.custody import Custody

PAGE_ROWS: Final = 50
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS audit (
    row INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL,
    address TEXT NOT NULL, step TEXT NOT NULL, serial TEXT, name TEXT, details TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS audit_who ON audit (who, row);
CREATE INDEX IF NOT EXISTS audit_step ON audit (step, row);
"""
_FIND: Final = (
    "SELECT row, entry, at, who, address, step, serial, name, details FROM audit "
    "WHERE (?1 = '' OR who = ?1 COLLATE NOCASE) AND (?2 = '' OR step = ?2) AND (?3 = '' OR serial = ?3 OR name = ?3) "
    "AND row < ?4 ORDER BY row DESC LIMIT ?5"
)


@dataclass(frozen=True)
class Audited:
    """One action."""

    row: int
    entry: int
    """Its number in the custody ledger."""
    at: str
    who: str
    address: str
    step: str
    serial: str | None
    name: str | None
    details: dict[str, str]


class Audit:
    """The page's audit. Calls block, from any thread. Raise OSError or sqlite3.Error."""

    def __init__(self, path: Path, custody: Custody) -> None:
        self._custody = custody
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def enter(
        self,
        step: str,
        *,
        who: str,
        address: str,
        serial: str | None = None,
        name: str | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        """Write one action into the ledger, then its row; durable when it returns."""
        told = details or {}
        with self._lock:
            entry = self._custody.enter(
                step, who=who, serial=serial, name=name, details={"from_address": address, **told}
            )
            self._database.execute(
                "INSERT INTO audit (entry, at, who, address, step, serial, name, details) VALUES (?,?,?,?,?,?,?,?)",
                (entry.seq, entry.at, who, address, step, serial, name, json.dumps(told)),
            )

    def find(self, *, who: str = "", step: str = "", about: str = "", before: int = 2**62) -> list[Audited]:
        """The newest first, one more than a page shows; `about` is a camera's serial or a file's name."""
        with self._lock:
            rows: list[tuple[Any, ...]] = self._database.execute(
                _FIND, (who, step, about, before, PAGE_ROWS + 1)
            ).fetchall()
        return [_audited(row) for row in rows]

    def steps(self) -> list[str]:
        """All kinds of actions that ever happened, for the filter."""
        with self._lock:
            return [row[0] for row in self._database.execute("SELECT DISTINCT step FROM audit ORDER BY step")]

    def close(self) -> None:
        self._database.close()


def _audited(row: tuple[Any, ...]) -> Audited:
    number, entry, at, who, address, step, serial, name, details = row
    return Audited(number, entry, at, who, address, step, serial, name, json.loads(details))

"""Where each entry of the custody ledger stands: found by file, camera or step without reading the ledger.

Only a finder, rebuilt from the ledger if it is lost: an entry that it names is read from the ledger each time, and must
have its digest and signature. SQLite, WAL and FULL, beside the ledger.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence import cms
from evidence.custody_ledger import DECODER, RESUMED, Entry, ledger_files, number_of
from evidence.errors import BrokenChain, EvidenceError, NotEvidence
from evidence.signed_chain import Place, link, messages

log = logging.getLogger(__name__)
FILE: Final = "index.sqlite"
_BATCH: Final = 2000
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, file INTEGER NOT NULL, offset INTEGER NOT NULL,
  size INTEGER NOT NULL, hash TEXT NOT NULL, step TEXT NOT NULL, serial TEXT, name TEXT);
CREATE INDEX IF NOT EXISTS by_name ON entries (name) WHERE name IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_serial ON entries (serial) WHERE serial IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_step ON entries (step);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Where one entry stands."""

    seq: int
    file: int
    offset: int
    size: int
    hash: str

    @property
    def next(self) -> Place:
        return Place(self.seq + 1, self.hash)


class CustodyIndex:
    """The index of one ledger. Calls from any thread."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Raises sqlite3.Error if a read-only one cannot be opened; any other is begun anew, in memory at the worst."""
        self._directory = directory
        self._lock = threading.Lock()
        self._catching_up = threading.Lock()
        """Two that ask at once do not read the ledger twice."""
        self._read_only = read_only
        try:
            self._db = self._open()
        except sqlite3.Error as error:
            if read_only:
                raise
            log.warning("the index of the custody ledger is made anew: %s", error)
            self._db = self._anew()

    def _anew(self) -> sqlite3.Connection:
        try:
            for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
                (self._directory / name).unlink(missing_ok=True)
            return self._open()
        except (sqlite3.Error, OSError) as error:
            log.error("the index of the custody ledger cannot be kept, it is held in memory: %s", error)
            db = sqlite3.connect(":memory:", check_same_thread=False)
            db.executescript(_SCHEMA)
            return db

    def _open(self) -> sqlite3.Connection:
        path = self._directory / FILE
        if self._read_only:
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        else:
            db = sqlite3.connect(path, check_same_thread=False)
        try:
            if not self._read_only:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if not self._read_only and version != _VERSION:
                db.executescript(f"DROP TABLE IF EXISTS entries; {_SCHEMA} PRAGMA user_version={_VERSION};")
            db.execute("SELECT seq FROM entries LIMIT 1").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def last(self) -> Row | None:
        """The newest entry that it knows."""
        with self._lock:
            found = self._db.execute("SELECT seq, file, offset, size, hash FROM entries ORDER BY seq DESC LIMIT 1")
            row = found.fetchone()
        return Row(*row) if row else None

    def forget(self) -> None:
        """Know nothing any more: the ledger is another one than it was."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM entries")

    def find(
        self, *, name: str | None = None, serial: str | None = None, step: str | None = None, most: int | None = None
    ) -> list[Row]:
        """Entries that fit everything that is given, oldest first; with `most`, the newest of them."""
        wanted = {"name": name, "serial": serial, "step": step}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = :{column}" for column in given) or "1"
        query = f"SELECT seq, file, offset, size, hash FROM entries WHERE {where} ORDER BY seq DESC LIMIT :most"  # noqa: S608 - columns are ours
        with self._lock:
            rows = self._db.execute(query, {**given, "most": -1 if most is None else most}).fetchall()
        return [Row(*row) for row in reversed(rows)]

    def catch_up(self, before: int) -> int:
        """Read what the ledger has beyond the index, up to entry `before`; how many there were.

        Raises OSError, sqlite3.Error. What stands behind `before` may not be durable yet: it is left for the next time.
        """
        with self._catching_up:
            return self._catch_up(before)

    def _catch_up(self, before: int) -> int:
        added, batch = 0, list[tuple[int, Entry]]()
        for number, one in entries_after(self._directory, self.last()):
            if one.statement.seq >= before:
                break
            batch.append((number, one))
            if len(batch) == _BATCH:
                self._add(batch)
                added, batch = added + len(batch), []
        self._add(batch)
        return added + len(batch)

    def _add(self, batch: list[tuple[int, Entry]]) -> None:
        rows = [
            (s.seq, number, one.offset, len(one.data), one.digest, s.step, s.serial, s.name)
            for number, one in batch
            for s in (one.statement,)
        ]
        with self._lock, self._db:
            self._db.executemany("INSERT OR IGNORE INTO entries VALUES (?,?,?,?,?,?,?,?)", rows)

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.close()


def entries_after(directory: Path, last: Row | None) -> Iterator[tuple[int, Entry]]:
    """Entries behind a known one, each with its file's number; chain and signatures are checked, no root is.

    What does not hold ends a file; the next one goes on where it says so itself. Raises OSError.
    """
    place = last.next if last is not None else Place()
    try:
        files = ledger_files(directory)
    except NotEvidence:
        return
    for path in files:
        number = number_of(path) or 0
        if last is not None and number < last.file:
            continue
        try:
            with path.open("rb") as file:
                if last is not None and number == last.file:
                    file.seek(last.offset + last.size)
                for offset, data in messages(file):
                    one = link(data, offset, DECODER, None, cms.check_signature, path.name)
                    follows = (one.statement.seq, one.statement.prev) == (place.seq, place.prev)
                    if not follows and (offset or one.statement.step not in RESUMED):
                        raise BrokenChain(f"entry {place.seq} does not follow the one before it")
                    place = one.next
                    yield number, one
        except EvidenceError as error:
            log.warning("the custody ledger does not hold in %s: %s", path.name, error)

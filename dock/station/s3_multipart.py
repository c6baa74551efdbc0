"""Large files into a bucket, part by part, so that a kill costs one part and leaves nothing behind (R38).

1. The upload's id is durable here before its first part is sent, each part before the next one: a restart goes on.
2. `upkeep` gives up what can never be finished: uploads whose object is there already, whose file is another one by
   now, and those under our prefix that are older than `STALE` and that nobody here remembers.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

import msgspec

from dock.errors import StoreFailed, StoreForgot, StoreStopped
from dock.station.pace import Pace
from dock.station.s3_requests import Part, S3Requests
from evidence import durable

log = logging.getLogger(__name__)
PART_BYTES: Final = 8 * 2**20
_MOST_PARTS: Final = 10_000
STALE: Final = dt.timedelta(days=7)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS going (
  key TEXT PRIMARY KEY, upload_id TEXT NOT NULL, sha256 TEXT NOT NULL, part_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS parts (
  key TEXT NOT NULL, number INTEGER NOT NULL, part BLOB NOT NULL, PRIMARY KEY (key, number)
) STRICT;
"""


class Multipart:
    """The multipart uploads of one bucket that this station has begun. Calls block, from any thread."""

    def __init__(self, journal: Path) -> None:
        durable.make_directory(journal.parent)
        self._database = sqlite3.connect(journal, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            self._database.close()
            self._closed = True

    def send(
        self, requests: S3Requests, file: Path, key: str, *, sha256: str, lock: dict[str, str], pace: Pace
    ) -> None:
        """Put `file` under `key`, going on where an earlier run stopped. Raises `StoreOccupied`, `StoreFailed`."""
        size = file.stat().st_size
        if size <= PART_BYTES:
            requests.put(key, file.read_bytes(), lock=lock, pace=pace)
            return
        part_bytes = max(PART_BYTES, -(-size // _MOST_PARTS))
        upload_id, done = self._resume(requests, key, sha256, part_bytes)
        if upload_id is None:
            upload_id = requests.begin(key, lock=lock)
            self._write("INSERT INTO going VALUES (?, ?, ?, ?)", key, upload_id, sha256, part_bytes)
        parts = list(done)
        try:
            with file.open("rb") as source:
                source.seek(len(parts) * part_bytes)
                while data := source.read(part_bytes):
                    part = requests.put_part(key, upload_id, len(parts) + 1, data, pace=pace)
                    self._write("INSERT INTO parts VALUES (?, ?, ?)", key, part.number, msgspec.json.encode(part))
                    parts.append(part)
            requests.complete(key, upload_id, parts)
        except StoreForgot:
            self._forget(key)
            raise
        self._forget(key)

    def give_up(self, requests: S3Requests, key: str) -> None:
        """End an upload whose object is not wanted any more. Raises `StoreFailed`."""
        with self._lock:
            row = self._database.execute("SELECT upload_id FROM going WHERE key = ?", (key,)).fetchone()
        if row is not None:
            requests.abort(key, row[0])
            self._forget(key)

    def upkeep(self, requests: S3Requests, prefix: str, now: dt.datetime) -> int:
        """Give up what can never be finished; how many. Raises `StoreFailed`."""
        with self._lock:
            known = dict(self._database.execute("SELECT key, upload_id FROM going").fetchall())
        ended = 0
        for key, upload_id in known.items():
            if requests.head(key) is not None:
                requests.abort(key, upload_id)
                self._forget(key)
                ended += 1
        for pending in requests.pending(prefix):
            if pending.upload_id not in known.values() and now - pending.initiated > STALE:
                log.warning("giving up a multipart upload of %s that nobody ended", pending.key)
                requests.abort(pending.key, pending.upload_id)
                ended += 1
        return ended

    def _resume(self, requests: S3Requests, key: str, sha256: str, part_bytes: int) -> tuple[str | None, list[Part]]:
        with self._lock:
            row = self._database.execute(
                "SELECT upload_id, sha256, part_bytes FROM going WHERE key = ?", (key,)
            ).fetchone()
            rows = self._database.execute("SELECT part FROM parts WHERE key = ? ORDER BY number", (key,)).fetchall()
        if row is None:
            return None, []
        if (row[1], row[2]) != (sha256, part_bytes):
            with contextlib.suppress(StoreFailed):
                requests.abort(key, row[0])
            self._forget(key)
            return None, []
        return row[0], [msgspec.json.decode(one[0], type=Part) for one in rows]

    def _write(self, statement: str, *values: str | int | bytes) -> None:
        with self._lock:
            if self._closed:
                raise StoreStopped("the station stops")
            self._database.execute(statement, values)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM going WHERE key = ?", (key,))
            self._database.execute("DELETE FROM parts WHERE key = ?", (key,))
            self._database.execute("COMMIT")

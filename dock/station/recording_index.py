"""A list of what is in the stores, for the page: found by camera and verdict without opening a file (R38).

Only a finder, filled from the receipts beside the files and made anew from them if it is lost. Recordings and device
logs stand in it; their contents do not.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dock.errors import BadFileName
from dock.names import original_name, parse_name
from dock.station.lanes import Lane
from dock.station.part import StationPart, Stored
from dock.station.store import Store
from evidence import cms, durable
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_receipt

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
SHOWN: Final = 50
_AGAIN_S: Final = 900.0
_COLUMNS: Final = (
    "stored, lane, name, serial, number, bytes, verdict, store, issued, sha256, close_hash, retention_class, "
    "retain_until, findings"
)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS recordings (
    row INTEGER PRIMARY KEY AUTOINCREMENT, stored TEXT NOT NULL, lane TEXT NOT NULL, name TEXT NOT NULL,
    serial TEXT NOT NULL, number INTEGER NOT NULL, bytes INTEGER NOT NULL, verdict TEXT NOT NULL, store TEXT NOT NULL,
    issued TEXT NOT NULL, sha256 TEXT NOT NULL, close_hash TEXT NOT NULL, retention_class TEXT NOT NULL,
    retain_until TEXT, findings TEXT NOT NULL, stream TEXT NOT NULL, UNIQUE (stored, lane)) STRICT;
CREATE INDEX IF NOT EXISTS recordings_by_time ON recordings (stream, issued, row);
CREATE INDEX IF NOT EXISTS recordings_by_camera ON recordings (stream, serial, issued, row);
"""
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM recordings WHERE stream = 'recording' AND (?1 = '' OR serial = ?1) "  # noqa: S608 - ours
    "AND (?2 = '' OR verdict = ?2) ORDER BY issued DESC, row DESC LIMIT ?3 OFFSET ?4"
)


@dataclass(frozen=True)
class Listed:
    """One stored file, as its receipt says."""

    stored: str
    lane: Lane
    name: str
    serial: str
    number: int
    bytes: int
    verdict: str
    store: str
    issued: str
    sha256: str
    close_hash: str
    retention_class: str
    retain_until: str | None
    findings: str

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".evidence")


class RecordingIndex(StationPart):
    """The list. Looking it up blocks."""

    name = "recording_index"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        durable.make_directory(station.config.directory)
        self._lock = threading.Lock()
        self._database = _open(station.config.directory / "recordings.sqlite")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.station.listeners.append(self._heard)

    def _heard(self, what: str, _serial: str | None) -> None:
        if what == "quarantined" and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def stored(self, file: Stored) -> None:
        try:
            self._add(file.stored, "evidence", file.receipt)
        except sqlite3.Error as error:
            log.error("%s is not in the page's list yet, it is looked for again: %s", file.stored, error)

    async def run(self) -> None:
        """Look for what the list does not have: at the start, after a quarantined file, and now and then."""
        while True:
            self._wake.clear()
            try:
                await asyncio.to_thread(self.look)
            except (OSError, sqlite3.Error) as error:
                log.error("the list of recordings cannot be brought up to date: %s", error)
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Add every stored file with a receipt. Blocks. Raises OSError, sqlite3.Error."""
        stores: tuple[tuple[Lane, Store], ...] = (
            ("evidence", self.station.store),
            ("quarantine", self.station.quarantine.store),
        )
        for lane, store in stores:
            with self._lock:
                rows = self._database.execute("SELECT stored FROM recordings WHERE lane = ?", (lane,)).fetchall()
            known = {row[0] for row in rows}
            for stored in store.names():
                if stored not in known:
                    self._add_from(store, stored, lane)

    def _add_from(self, store: Store, stored: str, lane: Lane) -> None:
        data = store.receipt(stored)
        if data is None:
            return
        try:
            self._add(stored, lane, decode_receipt(cms.parse_signed(data).payload))
        except EvidenceError as error:
            log.error("the receipt of %s cannot be read, it is not in the page's list: %s", stored, error)

    def _add(self, stored: str, lane: Lane, receipt: Receipt) -> None:
        values = (stored, lane, receipt.name, receipt.serial, receipt.number, receipt.bytes, receipt.verdict)
        more = (receipt.store, receipt.issued, receipt.sha256, receipt.close_hash, receipt.retention_class)
        last = (receipt.retain_until, "; ".join(receipt.findings), receipt.stream)
        with self._lock:
            self._database.execute(
                f"INSERT OR IGNORE INTO recordings ({_COLUMNS}, stream) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                (*values, *more, *last),
            )

    def find(self, *, serial: str = "", verdict: str = "", page: int = 0) -> list[Listed]:
        """Recordings, the newest first, one more than a page shows. Raises sqlite3.Error."""
        with self._lock:
            rows = self._database.execute(_FIND, (serial, verdict, SHOWN + 1, page * SHOWN)).fetchall()
        return [Listed(*row) for row in rows]

    def get(self, stem: str) -> list[Listed]:
        """All files that came under a recording's name, the first one first. Raises sqlite3.Error."""
        try:
            name = parse_name(original_name(f"{stem}.evidence"))
        except BadFileName:
            return []
        query = f"SELECT {_COLUMNS} FROM recordings WHERE name = ? ORDER BY row"  # noqa: S608 - columns are ours
        with self._lock:
            rows: list[tuple[Any, ...]] = self._database.execute(query, (name.text,)).fetchall()
        return [Listed(*row) for row in rows]

    async def end(self) -> None:
        self._database.close()


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")  # it can be made anew
    database.executescript(_SCHEMA)
    return database

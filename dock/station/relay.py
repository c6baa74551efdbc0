"""The relay: files come in at the network's speed and go on to the archive at the uplink's (R34, R38; store.md).

1. A file counts as archived once the archive has given every byte back, with the digest that this station verified.
2. `receipt_from = "archive"`: the camera's receipt is signed then, and names the archive. `"station"`: it was signed at
   once and names this station's store; the archive's is kept beside it.
3. What was begun is in a durable table: a restart goes on, a part further in a bucket, a block further in a directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from dock.errors import BadConfig, DockError, StoreDiffers, StoreFailed, StoreOccupied, StoreStopped
from dock.names import conflict_name, original_name, parse_name
from dock.station.beside import ARCHIVE_RECEIPT_SUFFIX
from dock.station.own_copies import OwnCopies
from dock.station.pace import TokenBucket
from dock.station.part import StationPart, Stored
from dock.station.relay_queue import Relayed, RelayQueue
from dock.station.station import Station
from dock.station.store import DirectoryStore, Store
from dock.station.stores import archive_store
from evidence.errors import EvidenceError
from evidence.verify import Report
from hal import program_time

log = logging.getLogger(__name__)
_LOOK_S: Final = 30.0
_RETRY_FIRST_S: Final = 1.0
_RETRY_MAX_S: Final = 300.0
_T = TypeVar("_T")


class Relay(StationPart):
    """Passes on to `[archive]`; without that table it does nothing."""

    name = "relay"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.trouble: str | None = None
        """Why nothing goes on at the moment, one sentence for the page; None while all is well."""
        config = station.config.archive
        self.queue: RelayQueue | None = None
        if config is None:
            return
        if not isinstance(station.store, DirectoryStore):
            raise BadConfig('[archive] needs store.kind = "directory": a station with a bucket need not relay')
        self._own = station.store
        self._stopped = threading.Event()
        pace = TokenBucket(config.kbit_s, self._stopped)
        self._archive = archive_store(config, station.config.directory / "archive", pace=pace, utc_ns=station.utc_ns)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._not_before: dict[str, tuple[float, float]] = {}
        self.queue = RelayQueue(station.config.directory / "relay.db")
        self._copies = OwnCopies(station, self._own, self._archive, self.queue, config.keep_days)
        if config.receipt_from == "archive":
            station.intake.settling.deferral = self

    # --- what comes in (a thread) -----------------------------------------------------------------------------------

    def digest(self, stored: str) -> str | None:
        """What waits for the archive's receipt under that name."""
        row = self.queue.find(stored) if self.queue is not None else None
        return row.sha256 if row is not None and row.deferred and row.archived_ns is None else None

    def take(self, stored: str, report: Report) -> None:
        """The station's store has it; the archive's receipt is promised, and the ledger says so."""
        assert self.queue is not None
        if self.queue.find(stored) is None:
            where = {"store": self._own.name, "stored": stored, "archive": self._archive.name}
            self._enter("waits_for_archive", stored, report.sha256, where)
        self._put(stored, report, deferred=True)

    def stored(self, file: Stored) -> None:
        if self.queue is not None and file.receipt.store == self._own.name:
            self._put(file.stored, file.report, deferred=False)

    def holder(self, stored: str) -> tuple[Store, str] | None:
        """The archive, and its name for that file, if the archive has it; then it is not missing."""
        row = self.queue.find(stored) if self.queue is not None else None
        return None if row is None or row.archived_as is None else (self._archive, row.archived_as)

    def _put(self, stored: str, report: Report, *, deferred: bool) -> None:
        assert self.queue is not None
        opened = report.opened
        critical = opened is not None and opened.upload_class == "critical"
        kept = opened.retention_class if opened is not None else None
        try:
            self.queue.put(stored, report.sha256, report.bytes, first=critical, deferred=deferred, retention_class=kept)
        except sqlite3.Error as error:
            raise OSError(f"relay.db cannot be written: {error}") from error
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    def notices(self) -> Sequence[str]:
        if self.queue is None or self.trouble is None:
            return ()
        files, size = self.queue.backlog()
        return (f"{files} files ({size / 1e9:.1f} GB) wait for the archive: {self.trouble}",)

    # --- what goes on -----------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        if self.queue is None:
            return
        wait_s = _RETRY_FIRST_S
        await self._in_thread(self._catch_up)
        while True:
            self._woken.clear()
            try:
                await self._in_thread(self._archive.upkeep)
                while await self._in_thread(self._next):
                    self.station.intake.on_receipt()
                    wait_s = _RETRY_FIRST_S
                self._well()
                if await self._in_thread(lambda: self._copies.clean_up(self._interrupted)):
                    continue
            except StoreStopped:
                return
            except (OSError, sqlite3.Error, DockError, EvidenceError) as error:
                self._told(str(error), wait_s)
                await asyncio.sleep(wait_s * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
                wait_s = min(2 * wait_s, _RETRY_MAX_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._woken.wait()

    async def end(self) -> None:
        if self.queue is None:
            return
        self._stopped.set()
        self._archive.stop()
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        self._archive.close()
        self.queue.close()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _catch_up(self) -> None:
        """What came in before there was an archive, or just before a crash."""
        assert self.queue is not None
        for stored in self._own.names():
            receipt = self.station.intake.settling.read_receipt(stored)
            if receipt is not None and self.queue.find(stored) is None:
                kept = receipt.retention_class if receipt.retention_class != "unknown" else None
                self.queue.put(stored, receipt.sha256, receipt.bytes, first=False, deferred=False, retention_class=kept)

    def _next(self) -> bool:
        """Pass one file on; whether there was one."""
        assert self.queue is not None
        now = program_time.monotonic_s()
        row = self.queue.waiting(lambda stored: self._not_before.get(stored, (0.0, 0.0))[0] > now)
        if row is None:
            return False
        try:
            self._pass_on(row)
            self._not_before.pop(row.stored, None)
        except (StoreFailed, StoreStopped):
            raise
        except OSError as error:  # this file's own trouble: the others go on
            wait_s = min(2 * self._not_before.get(row.stored, (0.0, _RETRY_FIRST_S))[1], _RETRY_MAX_S)
            self._not_before[row.stored] = (program_time.monotonic_s() + wait_s, wait_s)
            log.error("%s is not in the archive, trying again in %.0f s: %s", row.stored, wait_s, error)
            self.station.tell("archive_trouble", parse_name(original_name(row.stored)).serial)
        return True

    def _pass_on(self, row: Relayed) -> None:
        """Every step may be the second try of it."""
        settling = self.station.intake.settling
        name = parse_name(original_name(row.stored))
        archived_as, report, read_back = self._into_archive(row)
        receipt, signed = settling.sign(self._archive, archived_as, report, read_back)
        self._archive.put_receipt(archived_as, signed, until=receipt.retain_until)
        there = {"store": self._archive.name, "stored": archived_as, "version": receipt.object_version}
        said = {"verdict": receipt.verdict, "receipt": hashlib.sha256(signed).hexdigest()}
        self._enter("archived", row.stored, row.sha256, {**there, **said})
        if row.deferred:
            if self._own.receipt(row.stored) is None:
                settling.keep(Stored(row.stored, receipt, report, way=f"the store {self._own.name}"), signed)
        else:
            self._own.put_beside(row.stored, ARCHIVE_RECEIPT_SUFFIX, signed)
        assert self.queue is not None
        hold = report.opened is None or report.opened.hold  # what cannot be read is kept
        self.queue.archived(row.stored, archived_as, self.station.utc_ns(), hold=hold)
        log.info("archived %s in %s: %d bytes", row.stored, self._archive.name, row.bytes)
        self.station.tell("archived", name.serial)

    def _into_archive(self, row: Relayed) -> tuple[str, Report, tuple[int, str]]:
        """Its name there, the verdict on what the archive gives back, and that one's size and digest."""
        settling = self.station.intake.settling
        beside = conflict_name(original_name(row.stored), row.sha256)
        for archived_as in dict.fromkeys((row.stored, beside)):
            occupied = False
            try:
                until = settling.retention.until_class(row.retention_class)
                self._archive.adopt(self._own.path(row.stored), archived_as, sha256=row.sha256, until=until)
            except StoreOccupied:
                occupied = True  # by an earlier try of ours, by another station, or by another file
            report, read_back = settling.read_back(self._archive, archived_as, None)
            if read_back == (row.bytes, row.sha256):
                return archived_as, report, read_back
            if not occupied:
                break
        there = {"store": self._archive.name, "stored": archived_as, "should_be": row.sha256}
        self._enter("archive_differs", row.stored, read_back[1], there)
        raise StoreDiffers(f"{self._archive.name} gave back other bytes for {row.stored} than were put into it")

    def _enter(self, step: str, stored: str, sha256: str, details: dict[str, str]) -> None:
        name = parse_name(original_name(stored))
        who = f"station {self.station.desk.station}"
        self.station.custody.enter(step, who=who, serial=name.serial, name=name.text, sha256=sha256, details=details)

    def _interrupted(self) -> bool:
        return self._stopped.is_set() or self._woken.is_set()

    def _told(self, why: str, wait_s: float) -> None:
        log.error("nothing goes on to the archive, trying again in %.0f s: %s", wait_s, why)
        if self.trouble != why:
            self.trouble = why
            self.station.tell("archive_trouble")

    def _well(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            self.station.tell("archive_well")

"""From the first byte to the receipt: uploads in work, their end in the store, and what a crash left (R38).

The order is: part durable and whole → verdict → in the store → digest read back → custody ledger → receipt written →
part removed (a directory takes the part itself over). A restart goes on at whichever step is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.errors import StationBusy, StationFull, StoreDiffers, StoreFailed, StoreStopped
from dock.names import original_name
from dock.station.settling import Settling
from dock.station.upload import Upload, UploadRecord, create_upload, load_upload
from evidence import durable
from evidence.verify import Report

log = logging.getLogger(__name__)
_VERIFIERS_KEPT: Final = 256
"""Uploads that are verified while they come in, each with much less than 1 MiB of memory. What is beyond is read and
verified once more at the end: with 16, a shift of forty cameras cost a second pass over nearly every byte."""
_UPLOADS_PER_CAMERA: Final = 256
_RETRY_FIRST_S: Final = 1.0
_RETRY_MAX_S: Final = 60.0
_SETTLED_AT_ONCE: Final = 4
"""Files on their way from incoming/ into the store at the same time, in threads of their own."""
_TURNS: Final = 64


class Finished(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An upload that is in the store with its receipt; remembered as ``done/ID.json``."""

    record: UploadRecord
    stored: str


class Intake:
    """All uploads of one station. Its coroutines run on one event loop."""

    def __init__(self, directory: Path, settling: Settling, *, reserve_bytes: int) -> None:
        self._directory = directory
        self._done = directory / "done"
        durable.make_directory(self._done)
        self.settling = settling
        self.store = settling.store
        self._verifier = settling.verifier
        self.on_receipt: Callable[[], None] = lambda: None
        """Called on the loop after a receipt was written; must return at once."""
        self._reserve_bytes = reserve_bytes
        self._uploads: dict[str, Upload] = {}
        self._creating = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_SETTLED_AT_ONCE, thread_name_prefix="settling")
        self._turns = [asyncio.Lock() for _ in range(_TURNS)]
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Pick up what the last run left: whole parts are finished, stored files without receipt get one."""
        for path in sorted(self._directory.glob("*.json")):
            upload = await asyncio.to_thread(load_upload, path)
            if upload is not None:
                self._uploads[upload.record.id] = upload
        bare = await asyncio.to_thread(self.store.without_receipt)
        if bare:
            self._spawn(self._settle_all(bare))
        for upload in [one for one in self._uploads.values() if one.complete]:
            self._spawn(self._finish(upload))

    async def stop(self) -> None:
        """Stop finishing; the next start goes on."""
        for task in self._tasks:
            task.cancel()
        self.store.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, upload_id: str) -> Upload | Finished | None:
        """An upload in work, one that is in the store, or None. Raises OSError."""
        return self._uploads.get(upload_id) or await asyncio.to_thread(self._look_up, upload_id)

    def in_work(self) -> tuple[Upload, ...]:
        """Uploads that are not in the store yet (loop)."""
        return tuple(self._uploads.values())

    async def create(self, record: UploadRecord) -> Upload | Finished:
        """Announce a file, or find the same file again. Raises `StationFull`, `StationBusy`, OSError."""
        async with self._creating:
            known = await self.find(record.id) or await asyncio.to_thread(self._stored, record)
            if known is not None:
                return known
            mine = sum(1 for upload in self._uploads.values() if upload.record.serial == record.serial)
            if mine >= _UPLOADS_PER_CAMERA:
                raise StationBusy(f"{record.serial} has {mine} unfinished uploads; finish some first", 60.0)
            self._check_room(record.length)
            upload = await asyncio.to_thread(create_upload, record, self._directory)
            self._uploads[record.id] = upload
            return upload

    async def append(self, upload: Upload, data: bytes) -> int:
        """Durable bytes after `data`; the caller holds the upload's lock. Raises `StationFull`, OSError."""
        self._check_room(0)
        offset = await asyncio.to_thread(upload.append, data, self._verifier)
        if upload.complete:
            self._spawn(self._finish(upload))
        else:
            self._bound_verifiers(upload)
        return offset

    async def receipt(self, stored: str) -> bytes | None:
        """The receipt (DER) of what is stored under that name. Raises `StationBusy` while the store is silent."""
        try:
            return await asyncio.to_thread(self.store.receipt, stored)
        except StoreFailed as error:
            raise StationBusy(str(error), 10.0) from error

    def _check_room(self, more: int) -> None:
        status = os.statvfs(self._directory)
        free = status.f_bavail * status.f_frsize
        in_store = self.store.free_bytes()
        if in_store is not None:
            free = min(free, in_store)
        announced = sum(upload.record.length - upload.offset for upload in self._uploads.values()) if more else 0
        if free - announced - more < self._reserve_bytes:
            raise StationFull(f"the store has {free} bytes left and keeps {self._reserve_bytes} in reserve: make room")

    def _bound_verifiers(self, newest: Upload) -> None:
        busy = [upload for upload in self._uploads.values() if upload.verifying and upload is not newest]
        for upload in busy[: max(0, len(busy) + 1 - _VERIFIERS_KEPT)]:
            if not upload.lock.locked():
                upload.forget_verifier()

    def _look_up(self, upload_id: str) -> Finished | None:
        try:
            return msgspec.json.decode((self._done / f"{upload_id}.json").read_bytes(), type=Finished)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.error("%s cannot be read, the file is taken again: %s", upload_id, error)
            return None

    def _stored(self, record: UploadRecord) -> Finished | None:
        try:
            return self._in_store(record)
        except StoreFailed as error:
            # It is taken in all the same: once the store answers, the digest says whether it had it already.
            log.warning("cannot ask the store for %s: %s", record.name, error)
            return None

    def _in_store(self, record: UploadRecord) -> Finished | None:
        if self.store.size(record.name) is None:
            return None
        for stored in [record.name, *self.store.conflicts(record.name)]:
            if self.store.size(stored) != record.length:
                continue
            receipt = self.settling.read_receipt(stored)
            if record.close_hash is None or (receipt is not None and receipt.close_hash == record.close_hash):
                finished = Finished(record=record, stored=stored)
                self._write_done(finished)
                return finished
        return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("finishing an upload failed; it is tried again at the next start", exc_info=error)

    async def _finish(self, upload: Upload) -> None:
        """Into the store, and a receipt; tried again while disk or store fail."""
        report: Report | None = None
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                if report is None:
                    async with upload.lock:
                        report = await asyncio.to_thread(upload.verdict, self._verifier)
                await self._in_turn(upload.record.name, self._put_away, upload, report)
                del self._uploads[upload.record.id]
                self.on_receipt()
                return
            except StoreStopped:
                return
            except OSError as error:
                if isinstance(error, StoreDiffers):
                    upload.stored = None
                log.error("cannot finish %s, trying again in %.0f s: %s", upload.record.name, wait_s, error)
                self.settling.on_trouble("", upload.record.name, str(error))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _RETRY_MAX_S)

    async def _settle_all(self, names: list[str]) -> None:
        """Give receipts to stored files that have none; tried again while the disk fails."""
        wait_s = _RETRY_FIRST_S
        while names:
            try:
                await self._in_turn(original_name(names[0]), self._settle_bare, names[0])
                names.pop(0)
                self.on_receipt()
                wait_s = _RETRY_FIRST_S
            except StoreStopped:
                return
            except OSError as error:
                log.error("cannot make the receipt of %s, trying again in %.0f s: %s", names[0], wait_s, error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_MAX_S)

    async def _in_turn(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        """In a settling thread, one at a time for each name: a name is taken once."""
        async with self._turns[hash(name) % _TURNS]:
            await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _settle_bare(self, stored: str) -> None:
        if not self.settling.settled(stored):
            self.settling.settle(stored, None)

    def _put_away(self, upload: Upload, report: Report) -> None:
        """Every step may be the second try of it."""
        if upload.stored is None:
            upload.stored = self.settling.adopt(upload.part, upload.record.name, report)
        if not self.settling.settled(upload.stored):
            self.settling.settle(upload.stored, report, part=upload.part, address=upload.address)
        self._write_done(Finished(record=upload.record, stored=upload.stored))
        # Parts of a second copy of what the store has go as well.
        for path in (upload.part, upload.part.with_suffix(".json")):
            with contextlib.suppress(FileNotFoundError):
                durable.unlink(path)

    def _write_done(self, finished: Finished) -> None:
        durable.replace(self._done / f"{finished.record.id}.json", msgspec.json.encode(finished))

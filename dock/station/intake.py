"""From the first byte to the receipt: uploads in work, their end in the store, and what a crash left (R38).

At every moment the bytes are in one place: the part in incoming/, or the store. The order is: part durable and whole →
verdict → moved into the store → digest read back → custody ledger → receipt written. A restart goes on at whichever
step is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.errors import StationBusy, StationFull, StoreOccupied
from dock.names import conflict_name, original_name, parse_name
from dock.station.desk import Desk
from dock.station.lanes import Lane
from dock.station.part import Stored
from dock.station.store import Store
from dock.station.upload import Upload, UploadRecord, VerifierFactory, create_upload, load_upload
from evidence import cms, durable
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_receipt
from evidence.verify import Report

log = logging.getLogger(__name__)
_VERIFIERS_KEPT: Final = 16
_UPLOADS_PER_CAMERA: Final = 256
_RETRY_FIRST_S: Final = 1.0
_RETRY_MAX_S: Final = 60.0


class Finished(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An upload that is in the store with its receipt; remembered as ``done/ID.json``."""

    record: UploadRecord
    stored: str


class Intake:
    """All uploads of one station. Its coroutines run on one event loop."""

    def __init__(
        self,
        directory: Path,
        store: Store,
        desk: Desk,
        verifier: VerifierFactory,
        *,
        reserve_bytes: int,
        lane: Lane = "evidence",
    ) -> None:
        self._directory = directory
        self._done = directory / "done"
        self._done.mkdir(parents=True, exist_ok=True)
        self.store = store
        self._desk = desk
        self._verifier = verifier
        self.on_receipt: Callable[[], None] = lambda: None
        """Called on the loop after a receipt was written; must return at once."""
        self.on_stored: Callable[[Stored], None] = lambda _: None
        """Called in a thread when a file is in the store and its receipt is durable."""
        self.before_receipt: Callable[[Stored, bytes], None] = lambda _file, _signed: None
        """Called in a thread before a receipt (DER) is kept: the custody ledger has it first. Raises OSError."""
        self._reserve_bytes = reserve_bytes
        self._lane = lane
        self._uploads: dict[str, Upload] = {}
        self._creating = asyncio.Lock()
        self._settling = asyncio.Lock()
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
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def find(self, upload_id: str) -> Upload | Finished | None:
        """An upload in work, one that is in the store, or None. Raises OSError."""
        return self._uploads.get(upload_id) or await asyncio.to_thread(self._look_up, upload_id)

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
        """The receipt (DER) of what is stored under that name."""
        return await asyncio.to_thread(self.store.receipt, stored)

    def _check_room(self, more: int) -> None:
        free = self.store.free_bytes()
        announced = sum(upload.record.length - upload.offset for upload in self._uploads.values()) if more else 0
        if free is not None and free - announced - more < self._reserve_bytes:
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
        except msgspec.DecodeError as error:
            log.error("%s cannot be read, the file is taken again: %s", upload_id, error)
            return None

    def _stored(self, record: UploadRecord) -> Finished | None:
        if self.store.size(record.name) is None:
            return None
        for stored in [record.name, *self.store.conflicts(record.name)]:
            if self.store.size(stored) != record.length:
                continue
            receipt = self._read_receipt(stored)
            if record.close_hash is None or (receipt is not None and receipt.close_hash == record.close_hash):
                finished = Finished(record=record, stored=stored)
                self._write_done(finished)
                return finished
        return None

    def _read_receipt(self, stored: str) -> Receipt | None:
        data = self.store.receipt(stored)
        if data is None:
            return None
        try:
            return decode_receipt(cms.parse_signed(data).payload)
        except EvidenceError as error:
            log.error("the receipt of %s in the store cannot be read: %s", stored, error)
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
        """Into the store, and a receipt; tried again while the disk fails."""
        report: Report | None = None
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                if report is None:
                    async with upload.lock:
                        report = await asyncio.to_thread(upload.verdict, self._verifier)
                async with self._settling:
                    await asyncio.to_thread(self._put_away, upload, report)
                del self._uploads[upload.record.id]
                self.on_receipt()
                return
            except OSError as error:
                log.error("cannot finish %s, trying again in %.0f s: %s", upload.record.name, wait_s, error)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _RETRY_MAX_S)

    async def _settle_all(self, names: list[str]) -> None:
        """Give receipts to stored files that have none; tried again while the disk fails."""
        wait_s = _RETRY_FIRST_S
        while names:
            try:
                async with self._settling:
                    await asyncio.to_thread(self._settle, names[0], None)
                names.pop(0)
                self.on_receipt()
                wait_s = _RETRY_FIRST_S
            except OSError as error:
                log.error("cannot make the receipt of %s, trying again in %.0f s: %s", names[0], wait_s, error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_MAX_S)

    def _put_away(self, upload: Upload, report: Report) -> None:
        """Every step may be the second try of it."""
        if upload.stored is None:
            upload.stored = self._adopt(upload, report)
        if self.store.receipt(upload.stored) is None:
            self._settle(upload.stored, report, upload.address)
        self._write_done(Finished(record=upload.record, stored=upload.stored))
        # Parts of a second copy of what the store has go as well.
        for path in (upload.part, upload.part.with_suffix(".json")):
            with contextlib.suppress(FileNotFoundError):
                durable.unlink(path)

    def _adopt(self, upload: Upload, report: Report) -> str:
        name = upload.record.name
        try:
            self.store.adopt(upload.part, name)
        except StoreOccupied:
            if self.store.receipt(name) is None:
                self._settle(name, None)
            held = self._read_receipt(name)
            if held is not None and held.sha256 == report.sha256:
                return name
            other = conflict_name(name, report.sha256)
            with contextlib.suppress(StoreOccupied):
                self.store.adopt(upload.part, other)
            return other
        return name

    def _write_done(self, finished: Finished) -> None:
        durable.replace(self._done / f"{finished.record.id}.json", msgspec.json.encode(finished))

    def _settle(self, stored: str, report: Report | None, address: str | None = None) -> None:
        """Read the digest back, sign the receipt, keep it. `report` None: verify what the store gives."""
        name = parse_name(original_name(stored))
        digest, size = hashlib.sha256(), 0
        verifier = self._verifier(name.text) if report is None else None
        for block in self.store.read(stored):
            digest.update(block)
            size += len(block)
            if verifier is not None:
                verifier.feed(block)
        if report is None:
            assert verifier is not None
            report = verifier.finish()
        if report.valid and report.log_head is not None and stored == name.text and self._lane == "evidence":
            self._desk.witnesses.prove(name.serial, report.log_head)
        receipt, signed = self._desk.receipt(
            name, stored, report, (size, digest.hexdigest()), self.store, lane=self._lane
        )
        file = Stored(stored, receipt, report, address)
        self.before_receipt(file, signed)
        self.store.put_receipt(stored, signed)
        log.info("stored %s: %d bytes, %s %s", stored, size, receipt.verdict, "; ".join(receipt.findings))
        self.on_stored(file)

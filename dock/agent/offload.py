"""Docked: greet the station, upload what waits, bring the receipts to the recorder (R30). Nothing here deletes."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from pathlib import Path
from typing import Final

from dock.agent.backoff import Backoff
from dock.agent.greeting import Greeted, check_receipt, greet
from dock.agent.ledger import UploadLedger
from dock.agent.queue import UploadQueue
from dock.agent.recorder_client import RecorderClient
from dock.agent.upload import Uploader
from dock.agent.watch import RECORDER_TROUBLE, CameraWatch, Teller
from dock.config import AgentConfig
from dock.errors import (
    BadFileName,
    BadReceipt,
    ReceiptNotReady,
    RecorderConfused,
    RecorderRefused,
    RecorderUnreachable,
    SpoolMismatch,
    StationBusy,
    StationFailed,
    StationRefused,
    TransportError,
    UploadStopped,
    WrongStation,
)
from dock.tls import client_context, own_start
from dock.transport.https import StationLink, refuse
from dock.transport.tus import TusTransport
from evidence.handover import SpoolFile, Status
from evidence.trust import Trust

log = logging.getLogger(__name__)
_GREET_EVERY_S: Final = 3600.0
_NOT_LET_IN: Final = frozenset({401, 403})


class Offload:
    """Runs for ever beside `CameraWatch`."""

    def __init__(
        self, config: AgentConfig, recorder: RecorderClient, watch: CameraWatch, ledger: UploadLedger, teller: Teller
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._watch = watch
        self._ledger = ledger
        self._teller = teller
        self._trust = Trust.load(config.root)
        self._clock_from = own_start(config.tls)
        options = config.offload
        self._backoff = Backoff(options.backoff_first_s, options.backoff_max_s)
        self._queue = UploadQueue(lambda: Backoff(options.backoff_first_s, options.backoff_max_s))

    async def run(self) -> None:
        """One session after the other; retries `TransportError`, `WrongStation` and `RECORDER_TROUBLE`."""
        while True:
            await self._watch.until(lambda: self._watch.may_upload)
            wait_s = 0.0
            try:
                await self._session()
            except UploadStopped as stopped:
                log.info("%s", stopped)
                await self._teller.event("offload_stopped", {"reason": str(stopped)})
            except (TransportError, WrongStation, *RECORDER_TROUBLE) as error:
                wait_s = self._backoff.next_s()
                if isinstance(error, StationBusy):
                    wait_s = max(wait_s, error.retry_after_s)
                log.warning("offload failed, again in %.1f s: %s", wait_s, error)
                await self._teller.event(
                    "offload_failed", {"error": type(error).__name__, "reason": str(error), "again_s": round(wait_s)}
                )
            await asyncio.sleep(wait_s)

    async def _session(self) -> None:
        """From the greeting until the camera leaves the dock, a recording begins, or an hour is over."""
        status = self._watch.status
        if status is None:
            return
        now = dt.datetime.now(dt.UTC)
        clock_good = now >= self._clock_from
        context = client_context(self._config.tls, check_time=clock_good)
        link = StationLink(self._config.station.url, context, self._config.offload.timeout_s)
        try:
            greeted = await asyncio.to_thread(
                greet,
                link,
                self._trust,
                serial=status.serial,
                system_id=self._config.station.system_id,
                now=now if clock_good else None,
                log_head=status.log_head,
            )
            await self._recorder.contact(greeted.signed)
            await self._teller.event("contact", {"station": greeted.contact.station})
            await self._empty_spool(status, link, greeted)
        finally:
            await asyncio.to_thread(link.close)

    async def _empty_spool(self, status: Status, link: StationLink, greeted: Greeted) -> None:
        options = self._config.offload
        uploader = Uploader(
            TusTransport(link),
            self._ledger,
            station=self._config.station.url,
            chunk_bytes=options.chunk_bytes,
            receipt_wait_s=options.receipt_wait_s,
            may_go_on=lambda: self._watch.may_upload,
        )
        until = time.monotonic() + _GREET_EVERY_S
        while self._watch.may_upload and time.monotonic() < until:
            spool = await self._recorder.spool()
            file = self._queue.next(spool.files)
            if file is None:
                await self._idle(options.poll_s)
                continue
            await self._one(file, Path(spool.directory), uploader, link, greeted, status.serial)
            self._backoff.reset()

    async def _idle(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._watch.until(lambda: not self._watch.may_upload)
        except TimeoutError:
            return

    async def _one(
        self, file: SpoolFile, directory: Path, uploader: Uploader, link: StationLink, greeted: Greeted, serial: str
    ) -> None:
        """Upload one file and hand over its receipt. What is wrong with this file alone does not stop the others."""
        try:
            address = await uploader.send(file, directory)
            signed = await asyncio.to_thread(self._fetch, link, address)
            receipt = check_receipt(
                signed, file, self._trust, serial=serial, system_id=greeted.contact.system_id, at=greeted.at
            )
            taken = await self._recorder.receipt(file.name, signed)
        except StationRefused as error:
            if error.status in _NOT_LET_IN:
                raise
            await self._put_off(file, error)
        except (BadReceipt, ReceiptNotReady, RecorderRefused, SpoolMismatch, BadFileName) as error:
            await self._put_off(file, error)
        except (TransportError, RecorderUnreachable, RecorderConfused):
            raise
        except OSError as error:  # the spool cannot be read
            await self._put_off(file, error)
        else:
            await asyncio.to_thread(self._ledger.forget, self._config.station.url, file.name, file.close_hash)
            self._queue.postpone(file)  # in case the recorder still lists it as waiting
            log.info("%s is stored, %s; keep %d s", file.name, receipt.verdict, taken.keep_s)
            await self._teller.event(
                "receipt_taken",
                {"file": file.name, "verdict": receipt.verdict, "deleted": taken.deleted, "keep_s": taken.keep_s},
            )

    def _fetch(self, link: StationLink, address: str) -> bytes:
        answer = link.call("GET", address)
        if answer.status == 404:
            raise ReceiptNotReady(f"{address} is not there yet")
        refuse(answer, f"fetching {address}")
        if answer.status != 200 or not answer.body:
            raise StationFailed(f"fetching {address}: {answer.status} with {len(answer.body)} bytes")
        return answer.body

    async def _put_off(self, file: SpoolFile, error: Exception) -> None:
        wait_s = self._queue.postpone(file)
        log.warning("%s stays on the camera, again in %.0f s: %s", file.name, wait_s, error)
        await self._teller.event(
            "file_kept", {"file": file.name, "error": type(error).__name__, "reason": str(error)[:300]}
        )

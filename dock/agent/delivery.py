"""One file, from its first byte to the answer of the recorder about its receipt (R30, R38).

What goes wrong is dealt with by the table of `dock.agent.answers`. Nothing here deletes: the recorder does, if it finds
the receipt good.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from dock.agent.answers import course_of
from dock.agent.greeting import check_receipt
from dock.agent.ledger import Settled, UploadLedger, Verdict
from dock.agent.upload import Uploader
from dock.agent.watch import Teller
from dock.errors import (
    DockError,
    ReceiptNotReady,
    RecorderRefused,
    StationBusy,
    StationFailed,
    StationRefused,
    UploadStopped,
)
from dock.transport.https import StationLink, refuse
from evidence.handover import Receipt, SpoolFile
from evidence.trust import Trust
from hal import program_time

if TYPE_CHECKING:
    from dock.agent.session import Session

log = logging.getLogger(__name__)


class Delivery:
    """Brings files of one camera to the station of one session."""

    def __init__(
        self,
        session: Session,
        trust: Trust,
        serial: str,
        *,
        teller: Teller,
        ledger: UploadLedger,
        on_stored: Callable[[], None],
    ) -> None:
        self._session = session
        self._trust = trust
        self._serial = serial
        self._teller = teller
        self._ledger = ledger
        self._on_stored = on_stored

    async def one(self, file: SpoolFile, uploader: Uploader, link: StationLink) -> None:
        """Upload one file and hand over its receipt."""
        signed = b""
        try:
            address = await uploader.send(file, self._session.backlog.directory)
            signed = await asyncio.to_thread(_fetch, link, address)
            system_id = self._session.greeted.contact.system_id
            receipt = check_receipt(
                signed, file, self._trust, serial=self._serial, system_id=system_id, at=self._session.greeted.at
            )
            await self._hand_over(file, receipt, signed)
        except (DockError, OSError) as error:
            if self._session.stopped and not isinstance(error, UploadStopped):
                self._stopped(file, error)
            await self._follow(file, error, signed)

    async def _hand_over(self, file: SpoolFile, receipt: Receipt, signed: bytes) -> None:
        self._on_stored()
        if receipt.verdict != "valid":
            # The recorder judges for itself; the file stays whatever it says, and nobody is asked again for a day.
            try:
                await self._session.recorder.receipt(file.name, signed)
            except RecorderRefused as error:
                log.info("%s", error)
            reason = receipt.findings[0] if receipt.findings else "no finding given"
            await self._settle(file, receipt.verdict, reason, signed)
            return
        taken = await self._session.recorder.receipt(file.name, signed)
        await asyncio.to_thread(self._ledger.forget, self._session.url, file.name, file.close_hash)
        await self._session.backlog.done(file)
        self._session.progress.done(file)
        log.info("%s is stored, %s; keep %d s", file.name, receipt.verdict, taken.keep_s)
        await self._teller.event(
            "receipt_taken",
            {"file": file.name, "verdict": receipt.verdict, "deleted": taken.deleted, "keep_s": taken.keep_s},
        )

    def _stopped(self, file: SpoolFile, error: Exception) -> NoReturn:
        there = self._session.progress.offset(file)
        raise UploadStopped(f"{file.name} stopped at {there} of {file.bytes} bytes: {self._session.why()}") from error

    async def _follow(self, file: SpoolFile, error: DockError | OSError, signed: bytes) -> None:
        """Do what the table says. Raises the error again if it ends the session."""
        bad = isinstance(error, RecorderRefused) or (isinstance(error, StationRefused) and error.status == 400)
        strikes = self._session.strikes[file.name] = self._session.strikes.get(file.name, 0) + bad
        course = course_of(error, strikes)
        if course.file == "reject":
            await self._settle(file, "rejected", str(error), b"")
        elif course.file == "refuse":
            await self._settle(file, "refused", str(error), signed)
        elif course.file == "keep":
            await self._put_off(file, error)
        if course.rest == "leave":
            raise error
        if course.rest == "pause":
            assert isinstance(error, StationBusy)
            log.info("the station is busy, again in %.0f s: %s", error.retry_after_s, error)
            await self._session.pause(error.retry_after_s)

    async def _settle(self, file: SpoolFile, verdict: Verdict, reason: str, signed: bytes) -> None:
        digest = hashlib.sha256(signed).hexdigest() if signed else ""
        now_s = program_time.utc_s()
        one = Settled(
            file.name,
            file.close_hash,
            self._session.url,
            verdict,
            reason[:300],
            digest,
            self._session.said,
            now_s,
            now_s,
        )
        news = await asyncio.to_thread(self._session.backlog.settle, one)
        if not news:
            return
        log.warning("%s stays on the camera, %s: %s", file.name, verdict, reason)
        name = "file_rejected" if verdict == "rejected" else "file_kept"
        told = {"file": file.name, "verdict": verdict, "reason": reason[:300], "attention": True}
        await self._teller.event(name, told)

    async def _put_off(self, file: SpoolFile, error: Exception) -> None:
        wait_s = self._session.backlog.queue.postpone(file)
        log.warning("%s stays on the camera, again in %.0f s: %s", file.name, wait_s, error)
        await self._teller.event(
            "file_kept", {"file": file.name, "error": type(error).__name__, "reason": str(error)[:300]}
        )


def _fetch(link: StationLink, address: str) -> bytes:
    answer = link.call("GET", address)
    if answer.status == 404:
        raise ReceiptNotReady(f"{address} is not there yet")
    refuse(answer, f"fetching {address}")
    if answer.status != 200 or not answer.body:
        raise StationFailed(f"fetching {address}: {answer.status} with {len(answer.body)} bytes")
    return answer.body

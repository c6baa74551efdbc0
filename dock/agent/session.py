"""One visit at a station: greet it, then upload over several connections until something ends it (R6, R30).

A recording, leaving the dock or a closed window cuts off at once what is under way: the connections are shut down, not
waited for. What the station answers decides what becomes of a file and of the visit (`dock.agent.answers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from dock.agent.answers import Course, course_of
from dock.agent.backlog import Backlog
from dock.agent.foreign import ForeignTarget
from dock.agent.gate import Gate
from dock.agent.greeting import Greeted, check_receipt, greet
from dock.agent.ledger import Settled, UploadLedger, Verdict
from dock.agent.progress import Progress
from dock.agent.recorder_client import RecorderClient
from dock.agent.upload import Uploader
from dock.agent.watch import CameraWatch, Teller
from dock.config import AgentConfig
from dock.errors import (
    DockError,
    ReceiptNotReady,
    RecorderRefused,
    StationBusy,
    StationFailed,
    StationRefused,
    TransportError,
    UploadStopped,
)
from dock.transport.https import StationLink, refuse
from dock.transport.tus import TusTransport
from evidence.handover import Receipt, SpoolFile
from evidence.trust import Trust

log = logging.getLogger(__name__)
GREET_EVERY_S: Final = 3600.0
_END_S: Final = 2.0
"""How long a connection that was cut off may take to notice."""
_AGAIN_S: Final = 15.0
_SAID_BYTES: Final = 512
Beside = Callable[["Session"], Awaitable[None]]
"""Work beside the uploads, for as long as the session lasts."""


class Session:
    """Runs once. Everything that it may raise is a `DockError` or one of `dock.agent.watch.RECORDER_TROUBLE`."""

    def __init__(
        self,
        config: AgentConfig,
        url: str,
        context: ssl.SSLContext,
        *,
        recorder: RecorderClient,
        watch: CameraWatch,
        gate: Gate,
        ledger: UploadLedger,
        backlog: Backlog,
        progress: Progress,
        teller: Teller,
        on_stored: Callable[[], None],
        beside: tuple[Beside, ...] = (),
        foreign: ForeignTarget | None = None,
    ) -> None:
        self.config = config
        self.url = url
        self.recorder = recorder
        self.watch = watch
        self.backlog = backlog
        self.progress = progress
        self._context = context
        self._gate = gate
        self._ledger = ledger
        self._teller = teller
        self._on_stored = on_stored
        self._beside = beside
        self._foreign = foreign
        self.clock_offset_ms: int | None = None
        """Our clock minus the station's, measured at the greeting."""
        self._permission = watch.permission
        self._links: list[StationLink] = []
        self._stop = asyncio.Event()
        self._barred = False
        """Nothing may be uploaded any more: what failed then was cut off by us."""
        self._until = time.monotonic() + GREET_EVERY_S
        self._strikes: dict[str, int] = {}
        self._said = ""
        """What the station says of itself: its version, if it tells one."""
        self.link = self.new_link()
        """For everything that is no upload."""

    # --- the visit ----------------------------------------------------------------------------------------------------

    async def run(self, trust: Trust, now: dt.datetime | None) -> None:
        """From the greeting until something ends it. Raises what did."""
        status = self.watch.status
        if status is None:
            return
        guard = asyncio.create_task(self._guard())
        try:
            self.greeted: Greeted = await asyncio.to_thread(
                greet,
                self.link,
                trust,
                serial=status.serial,
                system_id=self.config.station.system_id,
                now=now,
                log_head=status.log_head,
            )
            self.clock_offset_ms = self.greeted.offset_ms
            self._said = await asyncio.to_thread(self._ask_version)
            await self.recorder.contact(self.greeted.signed)
            await self._teller.event("contact", {"station": self.greeted.contact.station})
            await self._work(trust, status.serial)
        except TransportError as error:
            self._explain(error)
        finally:
            self._end()
            guard.cancel()
            await asyncio.gather(guard, return_exceptions=True)

    async def _work(self, trust: Trust, serial: str) -> None:
        uploads = [asyncio.create_task(self._upload(trust, serial)) for _ in range(self.config.offload.at_once)]
        beside = [asyncio.create_task(self._keep(one)) for one in self._beside]
        try:
            await asyncio.wait(uploads, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._end()
            for task in beside:
                task.cancel()
            late = (await asyncio.wait([*uploads, *beside], timeout=_END_S))[1]
            for task in late:
                task.cancel()
            await asyncio.gather(*uploads, *beside, return_exceptions=True)
        errors = [error for task in uploads if not task.cancelled() and (error := task.exception()) is not None]
        # What ended the session, before what only followed from its end.
        for error in sorted(errors, key=lambda one: isinstance(one, UploadStopped)):
            raise error

    async def _keep(self, beside: Beside) -> None:
        """Work beside the uploads never ends them: what goes wrong is logged, and tried again."""
        while not self._stop.is_set():
            try:
                await beside(self)
            except UploadStopped:
                return
            except (DockError, OSError) as error:
                log.warning("beside the uploads: %s", error)
                with contextlib.suppress(UploadStopped):
                    await self.pause(_AGAIN_S)
            else:
                return

    async def _guard(self) -> None:
        """Wait for the moment from which nothing may be uploaded over this link, and cut everything off."""
        began = self._permission
        await self.watch.until(lambda: not self._holds(began.over, began.interface))
        self._barred = True
        self._end()

    def _holds(self, over: str, interface: str | None) -> bool:
        now = self.watch.permission
        return now.granted and (now.over, now.interface) == (over, interface)

    def _end(self) -> None:
        self._stop.set()
        for link in self._links:
            link.cut()

    def _explain(self, error: Exception) -> NoReturn:
        """A connection that we cut off ourselves is no fault of the station."""
        if self._barred:
            raise UploadStopped(self._why()) from error
        raise error

    def _why(self) -> str:
        return self.watch.permission.why or "the session is over"

    def new_link(self) -> StationLink:
        """Another connection to the station, cut off with all others."""
        link = StationLink(
            self.url, self._context, self.config.offload.timeout_s, interface=self.watch.permission.interface
        )
        return self.cut_with_us(link)

    def cut_with_us(self, link: StationLink) -> StationLink:
        """Whatever carries evidence is cut off when the session ends."""
        self._links.append(link)
        if self._stop.is_set():
            link.cut()
        return link

    def _ask_version(self) -> str:
        """What the station says of itself; nothing if it will not. Blocks."""
        answer = self.link.call("GET", "/system")
        return answer.body[:_SAID_BYTES].decode("utf-8", "replace") if answer.status == 200 else ""

    # --- `dock.agent.upload.Flow` -------------------------------------------------------------------------------------

    def may_go_on(self, file: SpoolFile) -> bool:
        """Whether this file may be uploaded now."""
        return not self._stop.is_set() and file.upload_class in self.watch.permission.classes

    async def turn(self, file: SpoolFile, most: int) -> int:  # noqa: ARG002 - all files share the link
        """Wait for the next piece's turn; how many bytes it may have."""
        count, wait_s = await self._gate.take(self.watch.permission, most)
        if wait_s > 0:
            await self.pause(wait_s)
        return count

    async def pause(self, seconds: float) -> None:
        """Wait; `UploadStopped` if the session ends meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
        raise UploadStopped(self._why())

    def reached(self, file: SpoolFile, offset: int) -> None:
        """So much of it is durable at the station."""
        self.progress.reached(file, offset)

    # --- files --------------------------------------------------------------------------------------------------------

    async def _upload(self, trust: Trust, serial: str) -> None:
        """File after file over one connection."""
        options = self.config.offload
        link = self.new_link()
        uploader = Uploader(
            TusTransport(link) if self._foreign is None else self._foreign.transport(self, link),
            self._ledger,
            self,
            station=self.url,
            chunk_bytes=options.chunk_bytes,
            receipt_wait_s=options.receipt_wait_s,
        )
        while not self._stop.is_set() and time.monotonic() < self._until:
            await self.backlog.refresh(options.poll_s)
            self.progress.listed(self.backlog.files)
            file = self.backlog.claim(self.watch.permission.classes, self._said)
            if file is None:
                await self.pause(options.poll_s)
                continue
            try:
                await self._one(file, uploader, link, trust, serial)
            finally:
                self.backlog.release(file)
                self.progress.let_go(file)

    async def _one(self, file: SpoolFile, uploader: Uploader, link: StationLink, trust: Trust, serial: str) -> None:
        """Upload one file and hand over its receipt."""
        signed = b""
        try:
            address = await uploader.send(file, self.backlog.directory)
            signed = await asyncio.to_thread(_fetch, link, address)
            system_id = self.greeted.contact.system_id
            receipt = check_receipt(signed, file, trust, serial=serial, system_id=system_id, at=self.greeted.at)
            await self._hand_over(file, receipt, signed)
        except (DockError, OSError) as error:
            if self._stop.is_set() and not isinstance(error, UploadStopped):
                self._stopped(file, error)
            await self._follow(file, error, signed)

    async def _hand_over(self, file: SpoolFile, receipt: Receipt, signed: bytes) -> None:
        self._on_stored()
        if receipt.verdict != "valid":
            # The recorder judges for itself; the file stays whatever it says, and nobody is asked again for a day.
            try:
                await self.recorder.receipt(file.name, signed)
            except RecorderRefused as error:
                log.info("%s", error)
            reason = receipt.findings[0] if receipt.findings else "no finding given"
            await self._settle(file, receipt.verdict, reason, signed)
            return
        taken = await self.recorder.receipt(file.name, signed)
        await asyncio.to_thread(self._ledger.forget, self.url, file.name, file.close_hash)
        self.backlog.done(file)
        self.progress.done(file)
        log.info("%s is stored, %s; keep %d s", file.name, receipt.verdict, taken.keep_s)
        await self._teller.event(
            "receipt_taken",
            {"file": file.name, "verdict": receipt.verdict, "deleted": taken.deleted, "keep_s": taken.keep_s},
        )

    def _stopped(self, file: SpoolFile, error: Exception) -> NoReturn:
        there = self.progress.offset(file)
        raise UploadStopped(f"{file.name} stopped at {there} of {file.bytes} bytes: {self._why()}") from error

    async def _follow(self, file: SpoolFile, error: DockError | OSError, signed: bytes) -> None:
        """Do what the table says. Raises the error again if it ends the session."""
        bad = isinstance(error, RecorderRefused) or (isinstance(error, StationRefused) and error.status == 400)
        strikes = self._strikes[file.name] = self._strikes.get(file.name, 0) + bad
        course = course_of(error, strikes)
        if course == Course("reject", "go_on"):
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
            await self.pause(error.retry_after_s)

    async def _settle(self, file: SpoolFile, verdict: Verdict, reason: str, signed: bytes) -> None:
        digest = hashlib.sha256(signed).hexdigest() if signed else ""
        now_s = time.time()
        one = Settled(file.name, file.close_hash, self.url, verdict, reason[:300], digest, self._said, now_s, now_s)
        news = await asyncio.to_thread(self.backlog.settle, one)
        if not news:
            return
        log.warning("%s stays on the camera, %s: %s", file.name, verdict, reason)
        name = "file_rejected" if verdict == "rejected" else "file_kept"
        told = {"file": file.name, "verdict": verdict, "reason": reason[:300], "attention": True}
        await self._teller.event(name, told)

    async def _put_off(self, file: SpoolFile, error: Exception) -> None:
        wait_s = self.backlog.queue.postpone(file)
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

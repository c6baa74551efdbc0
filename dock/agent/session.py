"""One visit at a station: greet it, then upload over several connections until something ends it (R6, R30).

A recording, leaving the dock or a closed window cuts off at once what is under way: the connections are shut down, not
waited for. What the station answers decides what becomes of a file and of the visit (`dock.agent.answers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NoReturn

from dock.agent.backlog import Backlog
from dock.agent.clock_offset import ClockOffset
from dock.agent.delivery import Delivery
from dock.agent.gate import Gate
from dock.agent.greeting import Greeted, greet
from dock.agent.ledger import UploadLedger
from dock.agent.progress import Progress
from dock.agent.recorder_client import RecorderClient
from dock.agent.upload import Uploader
from dock.agent.watch import CameraWatch, Teller
from dock.config import AgentConfig
from dock.errors import (
    DockError,
    TransportError,
    UploadStopped,
)
from dock.revoked import load_authorities
from dock.transport.https import Connect, StationLink
from dock.transport.tus_pieces import TusPieces
from evidence.handover import SpoolFile
from evidence.trust import Trust
from hal import program_time

if TYPE_CHECKING:
    from dock.agent.foreign import ForeignTarget

log = logging.getLogger(__name__)
_AWAY_BYTES: Final = 2**20
"""Largest chunk over a radio link: what is cut off in the middle of one is sent again."""
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
        connect: Connect = StationLink,
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
        self._connect = connect
        self.clock: ClockOffset | None = None
        """Our clock against the station's, measured at the greeting."""
        self._permission = watch.permission
        self._links: list[StationLink] = []
        self._stop = asyncio.Event()
        self._leaving = asyncio.Event()
        """No more files are begun; those in work go to their end."""
        self._barred = False
        """Nothing may be uploaded any more: what failed then was cut off by us."""
        self._until = program_time.monotonic_s() + GREET_EVERY_S
        self.strikes: dict[str, int] = {}
        """By file: answers that may pass, and mean something when they come again."""
        self.said = ""
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
                authorities=load_authorities(self.config.tls.ca),
            )
            self.clock = self.greeted.clock
            self.said = await asyncio.to_thread(self._ask_version)
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
            # An answer about one file must not cut off another that is half way.
            self._leaving.set()
            await asyncio.wait(uploads)
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
                if self._stop.is_set():
                    return  # cut off by us
                log.warning("beside the uploads: %s", error)
                with contextlib.suppress(UploadStopped):
                    await self.pause(_AGAIN_S)
            else:
                return

    async def _idle(self, seconds: float) -> None:
        """Nothing to upload: wait, or until the session ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()

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
        self._leaving.set()
        for link in self._links:
            link.cut()

    def _explain(self, error: Exception) -> NoReturn:
        """A connection that we cut off ourselves is no fault of the station."""
        if self._barred:
            raise UploadStopped(self.why()) from error
        raise error

    @property
    def stopped(self) -> bool:
        """The session is over: what fails now was cut off by us."""
        return self._stop.is_set()

    def why(self) -> str:
        """Why it is over."""
        return self.watch.permission.why or "the session is over"

    def new_link(self) -> StationLink:
        """Another connection to the station, cut off with all others."""
        link = self._connect(
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
        return await self.share(most if self._permission.over == "dock" else min(most, _AWAY_BYTES))

    async def share(self, most: int) -> int:
        """Wait until so many bytes, or fewer, may be sent over the link that all share; how many."""
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
        raise UploadStopped(self.why())

    def reached(self, file: SpoolFile, offset: int) -> None:
        """So much of it is durable at the station."""
        self.progress.reached(file, offset)

    # --- files --------------------------------------------------------------------------------------------------------

    async def _upload(self, trust: Trust, serial: str) -> None:
        """File after file over one connection."""
        options = self.config.offload
        delivery = Delivery(self, trust, serial, teller=self._teller, ledger=self._ledger, on_stored=self._on_stored)
        link = self.new_link()
        uploader = Uploader(
            TusPieces(link) if self._foreign is None else self._foreign.transport(self, link),
            self._ledger,
            self,
            station=self.url,
            chunk_bytes=self._foreign.chunk_bytes if self._foreign is not None else options.chunk_bytes,
            receipt_wait_s=options.receipt_wait_s,
        )
        while not self._leaving.is_set() and program_time.monotonic_s() < self._until:
            await self.backlog.refresh(options.poll_s)
            self.progress.listed(self.backlog.files)
            file = self.backlog.claim(self.watch.permission.classes, self.said)
            if file is None and self._permission.over != "dock":
                return  # away from the dock nobody stays for want of work
            if file is None:
                await self._idle(options.poll_s)
                continue
            try:
                await delivery.one(file, uploader, link)
            finally:
                self.backlog.release(file)
                self.progress.let_go(file)

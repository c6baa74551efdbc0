"""What the daemon answers on its socket: status, spool, receipts, contacts, self-test, markers."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from device.assignment import Assignment
from device.card_watch import CardWatch
from device.corrections import Corrections
from device.custody import Custody
from device.energy import Energy
from device.errors import ReceiptRefused
from device.offload_state import OffloadState
from device.power import discharging
from device.profile_desk import ProfileDesk
from device.proof_book import ProofBook
from device.receipts import Receipts
from device.states import Event
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.handover import Answer, Contact, Done, ReceiptTaken, Refused, Spool, Status, decode_contact
from evidence.requests import (
    ContactRequest,
    ListRequest,
    MarkRequest,
    ReceiptRequest,
    Request,
    StatusRequest,
    UpdateRequest,
)
from evidence.statements import moment_ns
from hal.errors import HalError

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.desk")
UPDATE_PERCENT: Final = 50
"""Charge that an update needs, unless the camera is being charged: as the station demands before it offers one."""


class Desk:
    """Answers requests; everything that may block runs in a thread."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._seconds = 0
        self._at_work = False
        self._last_ns = daemon.power_on_ns
        policy = daemon.profile.profile
        self.proofs = ProofBook(daemon.boot.spool, daemon.identity.others)
        self.receipts = Receipts(
            daemon.boot.spool,
            daemon.identity.others,
            daemon.writer,
            daemon.boot.device_log,
            keep_s=policy.keep_after_receipt_h * 3600,
            stores=policy.deletion_stores,
            proofs=self.proofs if policy.vault_proof else None,
            on_deleted=self._deleted,
            complaint=daemon.identity.lists_complaint,
        )

        self._corrections = Corrections(daemon.boot.spool, daemon.clock.boot_id, daemon.log)

    def each_second(self, now_ns: int) -> None:
        """Slow chores, counted in boot time. They ask the card, which may hang: the loop never waits for it (R29).

        In one thread, every ten seconds, unless it still waits for the card since the last time. Not by
        `Daemon.beside`: virtual time does that work on the loop, and there a card may hang too.
        """
        self._seconds += 1
        if self._seconds % 10 == 1 and not self._at_work:
            self._at_work = True
            self._daemon.spawn(self._work(now_ns))

    async def _work(self, now_ns: int) -> None:
        try:
            await asyncio.to_thread(self._chores, now_ns)
        finally:
            self._at_work = False

    def _chores(self, now_ns: int) -> None:
        """Holding time since the last count (what passed while the card hung is counted afterwards); the reserve."""
        passed_s = (now_ns - self._last_ns) // 10**9
        self._last_ns += passed_s * 10**9
        self.receipts.tick(passed_s)
        self.receipts.keep_reserve()

    def _deleted(self, name: str) -> None:
        self._daemon.on_loop(self._daemon.publish, "deleted", None, name.removesuffix(".evidence"))

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Never raises for what it holds."""
        if isinstance(request, StatusRequest):
            return self._status()
        if isinstance(request, ListRequest):
            return self._spool(request)
        if isinstance(request, ReceiptRequest):
            return await self._receipt(request)
        if isinstance(request, ContactRequest):
            return self._contact(request)
        if isinstance(request, MarkRequest):
            return Done() if self._daemon.conduct.mark("socket") else Refused(error="nothing is being recorded")
        if isinstance(request, UpdateRequest):
            return self._update(request)
        for part in self._daemon.parts:
            answer = await part.answer(request)
            if answer is not None:
                return answer
        return Refused(error="this camera has no part that answers this")

    def _spool(self, request: ListRequest) -> Spool:
        page, unproven = self._daemon.boot.spool.page(request.after, request.limit), self.receipts.unproven
        files = (replace(one, proof_missing=True) if one.name in unproven else one for one in page.files)
        return replace(page, files=tuple(files))

    def _update(self, request: UpdateRequest) -> Answer:
        """An update begins only in the dock with nothing to record; a start aborts it (notice `update_aborted`)."""
        event = Event.UPDATE_BEGAN if request.phase == "began" else Event.UPDATE_ENDED
        if event is Event.UPDATE_BEGAN and not self._charged():
            return Refused(
                error=f"no update now: the charge is below {UPDATE_PERCENT} % and the camera is not charging"
            )
        if self._daemon.conduct.happen(event) is None:
            state = self._daemon.machine.state.value
            return Refused(error=f"no update now: the camera is {state}; it must be docked and idle")
        return Done()

    def _charged(self) -> bool:
        """Enough for an update. A camera without a battery lives on the vehicle's or the dock's power."""
        if self._daemon.settings.battery is None:
            return True
        reading = self._daemon.part(Energy).reading
        return reading is not None and (not discharging(reading) or (reading.percent or 0) >= UPDATE_PERCENT)

    async def _receipt(self, request: ReceiptRequest) -> Answer:
        try:
            keep_s = await asyncio.to_thread(self.receipts.take, request.name, request.receipt)
        except ReceiptRefused as error:
            log.warning("%s", error)
            self._daemon.log("receipt_refused", details={"name": request.name, "why": str(error)[:500]})
            self._daemon.publish("receipt_refused", None, request.name.removesuffix(".evidence")[:128])
            return Refused(error=str(error))
        except OSError as error:
            return Refused(error=f"the receipt cannot be kept: {error.strerror}")
        if keep_s == 0:
            await asyncio.to_thread(self._daemon.writer.drain, 10.0)
        deleted = self._daemon.boot.spool.find(request.name) is None
        missing = not deleted and request.name in self.receipts.unproven
        return ReceiptTaken(deleted=deleted, keep_s=keep_s, proof_missing=missing)

    def _contact(self, request: ContactRequest) -> Answer:
        at_ns = self._daemon.clock.boottime_ns()
        try:
            message = parse_signed(request.contact)
            contact: Contact = decode_contact(message.payload)
            now = dt.datetime.fromtimestamp(moment_ns(contact.now) // 10**9, dt.UTC)
            self._daemon.identity.others.check(message, role="receipt", at=now)
        except (EvidenceError, ValueError, OverflowError) as error:
            return Refused(error=f"the contact is refused: {error}")
        if contact.serial != self._daemon.identity.serial:
            return Refused(error=f"the contact is for {contact.serial}")
        self._daemon.boot.station_nonce = contact.nonce
        ours = self._daemon.clock.utc()
        witness = contact.witness
        self._daemon.log(
            "contact",
            word="station",
            details={
                "station": contact.station,
                "system_id": contact.system_id,
                "station_time": contact.now,
                "offset_ms": (moment_ns(contact.now) - ours.middle_ns) // 1_000_000,
                "witness": None
                if witness is None
                else {"segment": witness.segment, "seq": witness.seq, "hash": witness.hash},
            },
        )
        self._corrections.contact(contact, request.contact, at_ns)
        return Done()

    def _status(self) -> Status:
        daemon = self._daemon
        session = daemon.recorder.session
        free: int | None
        try:
            free = daemon.hardware.storage.free_bytes()
        except (HalError, OSError):
            free = None
        now_ns = daemon.clock.boottime_ns()
        energy, battery = daemon.part(Energy), daemon.part(Energy).reading
        return Status(
            serial=daemon.identity.serial,
            model=daemon.identity.camera.model,
            firmware=daemon.identity.camera.firmware,
            state=daemon.machine.state.value,
            docked=daemon.machine.docked,
            degraded=daemon.degraded,
            uptime_s=(now_ns - daemon.power_on_ns) // 10**9,
            recording=session.file.stem if session is not None else None,
            self_test=daemon.examination.last.verdict if daemon.examination.last is not None else None,
            self_test_expired=daemon.examination.expired,
            do_not_use=daemon.examination.left,
            overrides=daemon.examination.overrides.components,
            battery_percent=battery.percent if battery is not None else None,
            charging=not discharging(battery) if battery is not None else daemon.settings.battery is None or None,
            runtime_minutes=energy.runtime_minutes,
            free_bytes=free,
            storage_minutes_left=int(minutes) if (minutes := daemon.part(CardWatch).minutes_left) is not None else None,
            buffered_s=round(daemon.recorder.buffered_ns() / 1e9, 3),
            log_head=daemon.boot.log_head,
            profile_version=daemon.profile.profile.version,
            profile_next=taken.profile.version if (taken := daemon.part(ProfileDesk).next) is not None else None,
            assigned=daemon.part(Assignment).officer is not None,
            seized=daemon.part(Custody).taken,
            held=len(daemon.boot.spool.appended.held),
            proof_missing=len(self.receipts.unproven),
            offloading=daemon.part(OffloadState).now(),
        )

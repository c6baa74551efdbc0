"""Watches the card while the camera runs: forecast, alarms, backlog, wear, and a card that takes nothing (R29, R30)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device.card import (
    CardAccount,
    Level,
    Rate,
    Room,
    Waiting,
    level_of,
    load_account,
    minutes_left,
    save_account,
    written_by_this_process,
)
from device.part import Part
from device.receipts import RESERVE_BYTES, RESERVE_NAME, START_BYTES
from device.writer import FULL, Job
from evidence.handover import Answer, Facts
from evidence.requests import FactsRequest, Request
from hal.errors import HalError

if TYPE_CHECKING:
    from device.daemon import Daemon

LOOK_EVERY_S: Final = 5
BACKLOG_EVERY_S: Final = 60
PROBE_EVERY_S: Final = 60
PROBE_BYTES: Final = 4096
"""Small enough to wear nothing: six megabytes in a day."""
PROBE_ROOM_BYTES: Final = 256 * 1024
SAVE_EVERY_S: Final = 600


class CardWatch(Part):
    """The card in the daemon's eyes."""

    name = "card"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._path = Path(daemon.settings.state) / "card.json"
        account = load_account(self._path)
        self._written_before = account.written_bytes
        self._waiting = Waiting(dict(account.waiting_s))
        self._waiting_bytes = 0
        self._rate = Rate()
        self._seconds = 0
        self._last_ns = daemon.power_on_ns
        self._probing = False
        self._probe_fault: str | None = None
        self._read_only = False
        self._room = Room(0, 0, RESERVE_BYTES)
        self._total_bytes: int | None = None
        self._old = False
        self._failed_ns = 0
        self.level: Level = "good"
        self.fault: str | None = None
        """Why the card takes nothing; None while it does."""

    # --- hooks --------------------------------------------------------------------------------------------------------

    def each_second(self, now_ns: int) -> None:
        """Measure, and tell what has changed."""
        self._seconds += 1
        self._measure_rate(now_ns)
        self._tell_fault()
        if self._seconds % LOOK_EVERY_S == 1:
            self._look()
        if self._seconds % BACKLOG_EVERY_S == 1:
            self._backlog(now_ns)
        every_s = PROBE_EVERY_S if self._probe_fault is None else LOOK_EVERY_S
        if self._seconds % every_s == 0 and self.daemon.recorder.session is None and not self._probing:
            self._probing = True
            self.daemon.spawn(self._probe())
        if self._seconds % SAVE_EVERY_S == 0:
            self._save()

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG002 - the docking says it all
        """At the end of a shift the log is told what was written."""
        if event == "docked":
            self._log_wear()

    async def answer(self, request: Request) -> Answer | None:
        """`facts` about storage."""
        if isinstance(request, FactsRequest) and request.about == "storage":
            return Facts(about="storage", facts=self.facts())
        return None

    def end(self) -> None:
        """The last word about this boot's writing."""
        self._log_wear()
        self._save()

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def minutes_left(self) -> float | None:
        """Minutes of recording that fit at the present bit rate, copies that may go counted as room."""
        return minutes_left(self._room, self._rate.bits_per_s)

    @property
    def oldest_waiting_s(self) -> int | None:
        """Running time for which the oldest recording has waited for a receipt."""
        oldest = self._waiting.oldest
        return oldest[1] if oldest is not None else None

    def facts(self) -> dict[str, Any]:
        """Everything about the card, for people and the dock."""
        minutes, written = self.minutes_left, written_by_this_process()
        return {
            "level": self.level,
            "fault": self.fault,
            "hours_left": round(minutes / 60, 2) if minutes is not None else None,
            "bits_per_s": self._rate.bits_per_s,
            "free_bytes": self._room.free_bytes,
            "total_bytes": self._total_bytes,
            "receipted_bytes": self._room.receipted_bytes,
            "waiting": len(self._waiting.seconds),
            "waiting_bytes": self._waiting_bytes,
            "oldest_waiting_s": self.oldest_waiting_s,
            "backlog_alarm": self._old,
            "written_bytes": written,
            "written_bytes_ever": self._written_before + (written or 0),
        }

    # --- looking ------------------------------------------------------------------------------------------------------

    def _measure_rate(self, now_ns: int) -> None:
        recorder = self.daemon.recorder
        session = recorder.session
        if session is not None:
            self._rate.count(session.bytes, now_ns)
        else:
            self._rate.ring(recorder.ring.bytes, recorder.buffered_ns())

    def _look(self) -> None:
        daemon = self.daemon
        try:
            free, self._total_bytes = daemon.hardware.storage.free_bytes(), daemon.hardware.storage.total_bytes()
            self._read_only = daemon.hardware.storage.read_only
        except (HalError, OSError):
            return  # the writer and the probe tell what is wrong
        receipted = sum(
            known.facts.bytes for known in daemon.boot.spool.receipted() if daemon.desk.receipts.may_go(known)
        )
        spool = daemon.boot.spool.directory
        self._room = Room(free, receipted, 0 if (spool / RESERVE_NAME).exists() else RESERVE_BYTES)
        startable = daemon.desk.receipts.room_to_start() and self._room.usable_bytes >= START_BYTES
        alarm_min = daemon.profile.profile.alarm_free_min
        level = level_of(self.minutes_left, startable=startable, alarm_min=alarm_min, before=self.level)
        daemon.signals.condition("storage_low", level != "good")
        daemon.signals.condition("storage_full", level == "full")
        if level == self.level:
            return
        self.level = level
        minutes = self.minutes_left
        details = {"minutes_left": round(minutes, 1) if minutes is not None else None, "free_bytes": free}
        daemon.log("storage", word=level, details=details)
        daemon.publish("storage_level", level)

    def _backlog(self, now_ns: int) -> None:
        daemon = self.daemon
        passed_s = (now_ns - self._last_ns) // 10**9
        self._last_ns += passed_s * 10**9
        spool = daemon.boot.spool
        files = [one for one in spool.files() if one.stream == "recording" and one.state == "waiting"]
        names = {one.name for one in files}
        # After the start the spool is still being read: what lies there without a receipt waits all the same.
        unread = {
            name
            for name in self._waiting.seconds.keys() - names
            if (spool.directory / name).exists() and not spool.receipt_path(name).exists()
        }
        self._waiting.tick(names | unread, passed_s)
        self._waiting_bytes = sum(one.bytes for one in files)
        oldest = self._waiting.oldest
        old = oldest is not None and oldest[1] > daemon.profile.profile.backlog_alarm_h * 3600
        daemon.signals.condition("backlog", old)
        if old == self._old:
            return
        self._old = old
        details = {"count": len(names | unread), "bytes": self._waiting_bytes, "oldest": oldest}
        daemon.log("backlog", word="old" if old else "over", details=details)
        daemon.publish("backlog", "old" if old else "over")

    async def _probe(self) -> None:
        """A card that takes nothing is found before it matters: a little is written and read back."""
        try:
            if self._room.free_bytes > PROBE_ROOM_BYTES:
                probe = await asyncio.to_thread(self.daemon.hardware.storage.probe, PROBE_BYTES)
                self._probe_fault = probe.error
        finally:
            self._probing = False

    def _tell_fault(self) -> None:
        if self.daemon.recorder.session is not None:
            self._probe_fault = None  # the recording itself shows whether the card works
        why, trouble = self._probe_fault, self.daemon.writer.trouble
        if trouble is not None and trouble.errno not in FULL:  # a full card is told as such
            why = f"the card fails ({trouble.strerror or trouble}): what is filmed now is not kept; replace it"
        if self._read_only:
            why = "the card is mounted read-only, which a worn card becomes; replace it"
        if (why is None) == (self.fault is None):
            return
        before, self.fault = self.fault, why
        self.daemon.signals.condition("card_fault", why is not None)
        if why is not None:
            self._failed_ns = self.daemon.clock.boottime_ns()
            self.daemon.fault("storage", why)
        else:
            # While it failed the log could not be told either.
            self.daemon.log("storage", word="works_again", details={"failed_at_ns": self._failed_ns, "why": before})
        self.daemon.publish("storage_level", "fault" if why is not None else "works_again")

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _log_wear(self) -> None:
        written = written_by_this_process()
        if written is not None:
            ever = self._written_before + written
            self.daemon.log("wear", details={"written_bytes": written, "written_bytes_ever": ever})

    def _save(self) -> None:
        """Durable on the writer thread; nobody waits for it."""
        written = self._written_before + (written_by_this_process() or 0)
        account = CardAccount(written_bytes=written, waiting_s=dict(self._waiting.seconds))
        self.daemon.writer.put(Job("card account", lambda: save_account(self._path, account)))

"""The supervisors' queue of the whole station: what cameras noticed and people report, until it is closed (R11, R29).

1. Each item enters the custody ledger before it stands in the queue, each note and each end as well.
2. Nothing is deleted: a closed item stays, with who closed it, how, and what camera replaced the broken one.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final

from dock.errors import AlreadyClosed, DockError
from dock.mqtt.messages import QueueItem, queue_items
from dock.station.malfunction_book import MalfunctionBook
from dock.station.part import StationPart
from evidence import durable
from evidence.errors import EvidenceError
from evidence.statements import moment

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
OUTCOMES: Final = ("repaired", "replaced", "no_fault_found", "damaged_beyond_repair", "settled_otherwise")
"""How a malfunction can end."""
TEXT_MOST: Final = 500
_RETRY_S: Final = 5.0


class Malfunctions(StationPart):
    """Listens to reports, and does what supervisors decide. Calls of people block (threads)."""

    name = "malfunctions"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        durable.make_directory(station.config.directory)
        self.book = MalfunctionBook(station.config.directory / "malfunctions.sqlite")
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._seen: dict[str, tuple[dict[str, Any], ...]] = {}
        """The queue of each camera that was last taken: most reports have the same."""
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting.update(bay.serial for bay in self.station.bays.all())
        self._wake.set()
        self.station.listeners.append(self._heard)

    def _heard(self, what: str, serial: str | None) -> None:
        if what == "bay" and serial is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look_at, serial)

    def _look_at(self, serial: str) -> None:
        self._waiting.add(serial)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            serials, self._waiting = self._waiting, set()
            try:
                await asyncio.to_thread(self.take_all, serials)
            except (OSError, sqlite3.Error, EvidenceError) as error:
                log.error("malfunctions cannot be kept, they are tried again: %s", error)
                self._waiting |= serials
                self._wake.set()
                await asyncio.sleep(_RETRY_S)

    def take_all(self, serials: set[str]) -> None:
        """Keep what is new in the queues of these cameras."""
        for serial in sorted(serials):
            bay = self.station.bays.look(serial)
            if bay is not None and self._seen.get(serial) != bay.report.queue:
                for item in queue_items({"items": list(bay.report.queue)}):
                    self._take(serial, item)
                self._seen[serial] = bay.report.queue

    def _take(self, serial: str, item: QueueItem) -> None:
        with self._lock:
            if self.book.known(serial, item):
                return
            self.station.custody.enter(
                "malfunction",
                who=f"camera {serial}",
                serial=serial,
                name=f"{item.recording}.evidence" if item.recording else None,
                details={"cause": item.cause, "component": item.component, "noticed": item.noticed},
            )
            self.book.add(serial, item, moment(self.station.utc_ns()))
        self.station.tell("malfunction", serial)

    def report(self, serial: str, component: str, text: str, who: str) -> int:
        """A person noticed something; the item's number. Raises `DockError`, OSError, sqlite3.Error."""
        _check(text)
        at = moment(self.station.utc_ns())
        with self._lock:
            details = {"component": component, "text": text}
            self.station.custody.enter("malfunction_reported", who=who, serial=serial, details=details)
            number = self.book.report(serial, component, who, at)
            self.book.note(number, who, text, at)
        self.station.tell("malfunction", serial)
        return number

    def note(self, number: int, who: str, text: str) -> None:
        """Write something about it. Raises `DockError` with one sentence, OSError, sqlite3.Error."""
        _check(text)
        with self._lock:
            item = self.book.get(number)
            details = {"malfunction": str(number), "text": text}
            self.station.custody.enter("malfunction_noted", who=who, serial=item.serial, details=details)
            self.book.note(number, who, text, moment(self.station.utc_ns()))
        self.station.tell("malfunction", item.serial)

    def close(self, number: int, who: str, outcome: str, replacement: str | None, text: str) -> None:
        """It is settled. Raises `DockError` with one sentence, OSError, sqlite3.Error."""
        if outcome not in OUTCOMES:
            raise DockError(f"choose how it ended: {', '.join(OUTCOMES)}")
        if outcome == "replaced" and not replacement:
            raise DockError("name the camera that replaced it")
        if replacement and self.station.bays.look(replacement) is None:
            raise DockError(f"no camera {replacement} ever reported here; check the serial of the replacement")
        _check(text)
        at = moment(self.station.utc_ns())
        with self._lock:
            item = self.book.get(number)
            if item.closed_at is not None:
                raise AlreadyClosed(f"malfunction {number} is closed already, by {item.closed_by}")
            details = {"malfunction": str(number), "outcome": outcome, "text": text, "cause": item.cause}
            if replacement:
                details["replacement"] = replacement
            self.station.custody.enter("malfunction_closed", who=who, serial=item.serial, details=details)
            self.book.note(number, who, text, at)
            self.book.close_one(number, who, outcome, replacement or None, at)
        self.station.tell("malfunction", item.serial)

    async def end(self) -> None:
        self.book.close()


def _check(text: str) -> None:
    if not 1 <= len(text) <= TEXT_MOST:
        raise DockError(f"write in a sentence or two what was seen or done, at most {TEXT_MOST} characters")

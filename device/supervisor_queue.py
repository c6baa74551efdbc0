"""The supervisor's queue: what somebody has to look at, kept across restarts (R11, R29, D.4).

An item says what failed, when, in which recording, and whether the officer was told. Nothing here is evidence and
nothing is sealed: no position, no officer, no text that a person wrote. The signed log says the same for a court.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from device.failures import Failure
from device.part import Part
from device.state_file import write_state
from device.timekeeping import utc_ns_at
from device.writer import Job
from evidence.handover import Answer, Facts
from evidence.requests import FactsRequest, Request
from evidence.statements import Count, Frozen, Moment, Name, Nanoseconds, Word, moment

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.queue")

MAX_ITEMS: Final = 200
MAX_BYTES: Final = 256 * 1024
FILE: Final = "supervisor_queue.json"


class Item(Frozen, frozen=True, kw_only=True):
    """One thing to look at."""

    id: Count
    cause: Word
    component: Word
    boot: Name
    """The boot in which it was noticed."""
    noticed: Moment
    """UTC by this camera's own claim, as are the other moments."""
    start_ns: Nanoseconds | None = None
    """CLOCK_BOOTTIME of that boot; absent if it began in an earlier one."""
    end_ns: Nanoseconds | None = None
    start: Moment | None = None
    end: Moment | None = None
    """Absent while it lasts."""
    recording: Name | None = None
    frames: Count = 0
    told: bool
    """The officer was alarmed."""


class Queue(Frozen, frozen=True, kw_only=True):
    """All of the file."""

    v: int = 1
    boot: Name | None = None
    """The boot that wrote it last."""
    next_id: Count = 1
    dropped: Count = 0
    """Oldest items that had to make room."""
    items: tuple[Item, ...] = ()

    def add(self, item: Item) -> Queue:
        """With one more item; the oldest makes room if there are too many. Pure."""
        items = (*self.items, item)
        dropped = max(0, len(items) - MAX_ITEMS)
        return msgspec.structs.replace(
            self, next_id=self.next_id + 1, dropped=self.dropped + dropped, items=items[dropped:]
        )

    def end(self, number: int, **facts: Any) -> Queue:
        """With that item ended; one that was dropped meanwhile stays dropped. Pure."""
        items = tuple(msgspec.structs.replace(one, **facts) if one.id == number else one for one in self.items)
        return msgspec.structs.replace(self, items=items)


_DECODER: Final = msgspec.json.Decoder(Queue)


def read_queue(path: Path) -> Queue:
    """The queue in a file, an empty one if there is none.

    Raises ValueError with one sentence if the file is too large or is no queue, OSError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Queue()
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_BYTES} bytes: it begins anew")
    try:
        queue = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path.name} is no queue ({error}): it begins anew") from error
    if queue.v != 1 or len(queue.items) > MAX_ITEMS:
        raise ValueError(f"{path.name} was not written by this firmware: it begins anew")
    return queue


class SupervisorQueue(Part):
    """The queue of one camera. Loop only."""

    name = "supervisor_queue"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._path = Path(daemon.settings.state) / FILE
        self.queue = Queue()
        self.same_boot = False
        """The board has not started anew since the queue was last written: only this program did."""
        try:
            self.queue = read_queue(self._path)
        except (ValueError, OSError) as error:
            log.error("the supervisor's queue: %s", error)
            self._unreadable: str | None = str(error)
        else:
            self._unreadable = None
        boot = daemon.clock.boot_id
        self.same_boot = self.queue.boot == boot
        self.queue = msgspec.structs.replace(self.queue, boot=boot)

    def begin(self) -> None:
        """Remember this boot; what was open at the last end is not any more."""
        if self._unreadable is not None:
            self.daemon.fault("queue", self._unreadable)
        now = moment(max(0, self.daemon.clock.utc().middle_ns))
        for one in self.queue.items:
            if one.end is None:
                self.queue = self.queue.end(one.id, end=now)
        self._save()

    def add(self, failure: Failure) -> int:
        """Put a failure into the queue; its id, for `over`."""
        daemon = self.daemon
        number = self.queue.next_id
        item = Item(
            id=number,
            cause=failure.cause,
            component=failure.component,
            boot=daemon.clock.boot_id,
            noticed=moment(max(0, daemon.clock.utc().middle_ns)),
            start_ns=failure.start_ns,
            start=self._moment(failure.start_ns),
            end_ns=failure.end_ns,
            end=self._moment(failure.end_ns),
            recording=failure.stem,
            frames=failure.frames,
            told=failure.told,
        )
        self.queue = self.queue.add(item)
        self._save()
        daemon.publish("queue", failure.cause, failure.stem, number)
        return number

    def over(self, number: int, failure: Failure) -> None:
        """That failure is over."""
        self.queue = self.queue.end(
            number, end_ns=failure.end_ns, end=self._moment(failure.end_ns), frames=failure.frames
        )
        self._save()

    def _moment(self, at_ns: int | None) -> str | None:
        return None if at_ns is None else moment(utc_ns_at(self.daemon.clock, at_ns))

    def _save(self) -> None:
        """Make it durable on the writer thread; the log says it too, so nobody waits for this."""
        queue = self.queue

        def save() -> None:
            try:
                write_state(self._path, queue)
            except OSError as error:
                log.warning("the supervisor's queue: %s", error)

        self.daemon.writer.put(Job("supervisor queue", save))

    async def answer(self, request: Request) -> Answer | None:
        """All items, oldest first."""
        if not isinstance(request, FactsRequest) or request.about != "queue":
            return None
        items = [msgspec.to_builtins(one) for one in self.queue.items]
        return Facts(about="queue", facts={"items": items, "dropped": self.queue.dropped})

"""One docking station, put together: what its parts share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from dock.config import StationConfig
from dock.station.bays import BayBook
from dock.station.custody import Custody
from dock.station.desk import Desk
from dock.station.intake import Intake
from dock.station.lanes import Lanes, RevocationLists
from dock.station.part import StationPart, Stored
from dock.station.store import Store
from evidence.keys import Signer
from evidence.trust import Trust
from hal import program_time

log = logging.getLogger(__name__)
_P = TypeVar("_P", bound=StationPart)


@dataclass
class Station:
    """What the parts of a station share. One process, one directory."""

    config: StationConfig
    trust: Trust
    signer: Signer
    """Receipts, greetings and the custody ledger are signed with it."""
    desk: Desk
    store: Store
    intake: Intake
    quarantine: Intake
    """Takes in what lost and revoked cameras bring."""
    lanes: Lanes
    lists: RevocationLists
    custody: Custody
    bays: BayBook
    utc_ns: Callable[[], int] = program_time.utc_ns
    """The station's clock, nanoseconds since 1970."""
    parts: tuple[StationPart, ...] = field(default=())
    listeners: list[Callable[[str, str | None], None]] = field(default_factory=list)
    """Called from any thread with what happened (a word) and the camera's serial: the page looks again."""

    leaving: bool = False
    """The server ends: answers that wait for something are given now."""

    def leave(self) -> None:
        """The server begins to end (loop)."""
        self.leaving = True
        self.tell("leaving")

    def part(self, kind: type[_P]) -> _P:
        """The part of that kind. Raises LookupError."""
        for part in self.parts:
            if isinstance(part, kind):
                return part
        raise LookupError(kind.__name__)

    def tell(self, what: str, serial: str | None = None) -> None:
        """Something happened that a screen may show (any thread). Never raises."""
        for listener in tuple(self.listeners):
            try:
                listener(what, serial)
            except Exception:
                log.exception("a listener failed at %s", what)

    def notices(self) -> tuple[str, ...]:
        """What people must know of the station itself now, a sentence each (any thread)."""
        found: list[str] = []
        for part in self.parts:
            try:
                found += part.notices()
            except Exception:
                log.exception("part %s cannot say how it is", part.name)
        return tuple(found)

    def file_stored(self, file: Stored) -> None:
        """Tell all parts of a file that has its receipt (a thread)."""
        for part in self.parts:
            try:
                part.stored(file)
            except Exception:
                log.exception("part %s failed at %s", part.name, file.stored)
        self.tell("stored", file.receipt.serial)

"""The station's share in the registry of people: keeps it open, and enters each change in the custody ledger (R33)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from dock.station.part import StationPart
from dock.station.people import People

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
LOOK_S: Final = 5.0


class PeopleAudit(StationPart):
    """`people` is the registry. Commands change it in processes of their own, so the changes are looked for."""

    name = "people"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.people = People(station.config.directory, utc_ns=station.utc_ns)
        self._wake = asyncio.Event()

    def enter_changes(self) -> None:
        """Enter all that wait (a thread).

        A crash between the two writes enters a change twice, with the same `change` number; none is lost.
        """
        while waiting := self.people.unaudited():
            for change in waiting:
                self.station.custody.enter(
                    "people_changed",
                    who=change.who,
                    details={
                        "change": str(change.row),
                        "at": change.at,
                        "person": change.person,
                        "what": change.what,
                        **change.details,
                    },
                )
                self.people.audited(change)
            self.station.tell("people")

    def look(self) -> None:
        """Something was changed here: enter it at once. On the loop."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await asyncio.to_thread(self.enter_changes)
            except (OSError, sqlite3.Error) as error:
                log.error("changes of the registry of people wait for the custody ledger: %s", error)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def end(self) -> None:
        self.people.close()

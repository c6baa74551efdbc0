"""Time at the dock: says where cameras get it, keeps how far each one's clock was off, and raises the alarm.

Design, invariant 10; docs/dock-desk.md.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dock.admin_words import arguments_of
from dock.station.bays import Bay
from dock.station.clock_book import ClockBook, Measured
from dock.station.known import known
from dock.station.part import AdminVerb, StationPart
from evidence.statements import Frozen, Serial, moment, moment_ns

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
_WITHOUT_DESK_MS = 2000


class _OfCamera(Frozen, frozen=True, kw_only=True):
    camera: Serial


class TimeDesk(StationPart):
    """The clock on the wall."""

    name = "time"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.book = ClockBook(station.config.directory)
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.off: dict[str, Measured] = {}
        """Cameras whose clock is off by more than is allowed, by their newest measurement."""

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/time", known(self._time), methods=["GET"])]

    async def _time(self, _: Request) -> Response:
        """Where to get the time, and what it is here now. The signed time is in the greeting."""
        desk = self.station.config.desk
        servers = list(desk.ntp_servers) if desk is not None else []
        uncertainty_ms = self.station.config.clock_uncertainty_ms
        now = moment(self.station.utc_ns())
        return JSONResponse({"servers": servers, "now": now, "uncertainty_ms": uncertainty_ms})

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"clocks": self._clocks}

    def _clocks(self, arguments: dict[str, Any], _: str) -> dict[str, Any]:
        said = arguments_of(_OfCamera, arguments)
        return {"clocks": [msgspec.to_builtins(one) for one in self.book.history(said.camera)]}

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.station.listeners.append(self._told)
        while True:
            serial = await self._waiting.get()
            try:
                await asyncio.to_thread(self.look, serial)
            except (OSError, sqlite3.Error) as error:
                log.error("the clock of %s is not written down: %s", serial, error)

    def _told(self, what: str, serial: str | None) -> None:
        if what == "bay" and serial is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, serial)

    def look(self, serial: str) -> None:
        """Write the newest measurement down, and raise or end the alarm (a thread)."""
        bay = self.station.bays.look(serial)
        measured = measured_in(bay) if bay is not None else None
        if measured is None or not self.book.note(serial, measured):
            return
        desk = self.station.config.desk
        limit_ms = desk.clock_alarm_ms if desk is not None else _WITHOUT_DESK_MS
        off, was = is_off(measured, limit_ms), serial in self.off
        if off:
            self.off[serial] = measured
        elif was:
            del self.off[serial]
        if off == was:
            return
        details = {
            "offset_ms": str(measured.offset_ms),
            "uncertainty_ms": str(measured.uncertainty_ms),
            "limit_ms": str(limit_ms),
        }
        self.station.custody.enter(
            "clock_off" if off else "clock_good", who=f"camera {serial}", serial=serial, details=details
        )
        self.station.tell("clock", serial)

    async def end(self) -> None:
        self.book.close()


def measured_in(bay: Bay) -> Measured | None:
    """The measurement in a report; None if there is none, or one without its uncertainty."""
    report = bay.report
    if report.clock_offset_ms is None or report.clock_uncertainty_ms is None:
        return None
    bounded = max(-(2**53), min(report.clock_offset_ms, 2**53))
    return Measured(moment_ns(bay.at), bounded, max(0, min(report.clock_uncertainty_ms, 2**53)))


def is_off(measured: Measured, limit_ms: int) -> bool:
    """Surely off by more than that: what the measurement itself may be wrong by does not count."""
    return abs(measured.offset_ms) - measured.uncertainty_ms > limit_ms

"""Each camera's health over time: written down from what its agent reports, for technicians (R39).

A report is the agent's word. What is new against the last one (it was docked, it left, another firmware, another
verdict of the self-test) becomes a line of the camera's log of contacts; the figures become a sample each minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from dock.station.bays import Bay
from dock.station.history_book import EVERY_S, Happening, HistoryBook, Latest, Sample
from dock.station.part import StationPart
from evidence import durable
from evidence.statements import moment_ns

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
GONE_S: Final = 120
"""A camera that was silent for so long in the dock has left it."""
_TICK_S: Final = 30.0
_THIN_EVERY_S: Final = 6 * 3600
_CHARS: Final = 500


def test_words(bay: Bay) -> str:
    """The verdict of the self-test with its findings, as one canonical text; empty if none was run."""
    status = bay.report.status
    if status.self_test is None:
        return ""
    found = sorted(
        f"{one.get('name', '?')}: {one.get('result')} {one.get('value') or ''}".strip() for one in bay.report.self_test
    )
    return json.dumps({"verdict": status.self_test, "findings": "; ".join(found)[:_CHARS]})


def what_is_new(before: Latest | None, bay: Bay) -> tuple[Latest, list[Happening]]:
    """What the log of contacts gets from a report. Pure."""
    status, at_s = bay.report.status, moment_ns(bay.at) // 10**9
    now = Latest(status.docked, at_s, status.firmware, test_words(bay))
    new: list[Happening] = []
    back = before is not None and at_s - before.seen_s > GONE_S
    if before is not None and before.docked and (back or not status.docked):
        new.append(Happening(before.seen_s if back else at_s, "left", {}))
    if status.docked and (before is None or not before.docked or back):
        offloading = bay.report.offloading
        waiting = {"files": str(offloading.files), "bytes": str(offloading.bytes)} if offloading is not None else {}
        charge = {"battery": f"{status.battery_percent} %"} if status.battery_percent is not None else {}
        new.append(Happening(at_s, "docked", {"address": bay.address, **charge, **waiting}))
    if before is None or before.firmware != status.firmware:
        came = {"from": before.firmware} if before is not None else {}
        new.append(Happening(at_s, "firmware", {"version": status.firmware, **came}))
    if now.test and (before is None or before.test != now.test):
        new.append(Happening(at_s, "self_test", json.loads(now.test)))
    return now, new


def sample_of(bay: Bay) -> Sample:
    """The figures of a report. Pure."""
    report, status = bay.report, bay.report.status
    offloading = report.offloading
    return Sample(
        moment_ns(bay.at) // 10**9,
        status.battery_percent,
        status.runtime_minutes,
        status.free_bytes,
        offloading.bytes if offloading is not None else None,
        offloading.files if offloading is not None else None,
        report.clock_offset_ms,
        report.power.battery_c,
        report.power.board_c,
    )


class HealthHistory(StationPart):
    """Writes the history. It looks at the bays when something was told, and every half minute."""

    name = "health_history"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        durable.make_directory(station.config.directory)
        self.book = HistoryBook(station.config.directory / "history.sqlite")
        self._written: dict[str, str] = {}
        """The report of each camera that was last looked at, by its moment."""
        self._latest: dict[str, Latest] = {}
        self._sampled: dict[str, int] = {}
        self._thinned_s = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.station.listeners.append(self._heard)

    def _heard(self, what: str, _serial: str | None) -> None:
        if what == "bay" and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.write)
            except (sqlite3.Error, OSError) as error:
                log.warning("the health history is not kept now: %s", error)
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
                await asyncio.sleep(1.0)  # reports of many cameras come together
            except TimeoutError:
                pass
            self._wake.clear()

    def write(self) -> None:
        """Write down what is new. Blocks. Raises sqlite3.Error."""
        for bay in self.station.bays.all():
            if self._written.get(bay.serial) != bay.at:
                self._write(bay)
                self._written[bay.serial] = bay.at
        now_s = self.station.utc_ns() // 10**9
        if now_s - self._thinned_s >= _THIN_EVERY_S:
            self.book.thin(now_s)
            self._thinned_s = now_s

    def _write(self, bay: Bay) -> None:
        before = self._latest.get(bay.serial) or self.book.latest(bay.serial)
        now, new = what_is_new(before, bay)
        sample = sample_of(bay)
        if new or abs(sample.at_s - self._sampled.get(bay.serial, 0)) >= EVERY_S:
            self.book.keep(bay.serial, now, sample, new)
            self._sampled[bay.serial] = sample.at_s
        self._latest[bay.serial] = now

    async def end(self) -> None:
        self.book.close()

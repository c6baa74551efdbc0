"""Tells recorder and station how far the offload is: bytes and minutes left, and what stays on the camera (R30)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from dock.agent.backlog import Backlog
from dock.agent.ledger import Settled
from dock.agent.progress import Progress
from dock.agent.recorder_client import RecorderClient
from dock.agent.session import Session
from dock.agent.watch import RECORDER_TROUBLE, CameraWatch
from dock.bay_report import REPORT_BYTES, BayReport, KeptFile, PowerReport, UpdateReport
from dock.mqtt.messages import QueueItem, queue_items
from dock.transport.https import refuse
from evidence.requests import Offloading
from evidence.statements import moment
from hal import program_time

log = logging.getLogger(__name__)
AGENT: Final = "firsthand-dock 0.1.0"
_LEAST_S: Final = 1.0
_QUIET_S: Final = 20.0
"""The recorder forgets us after a minute of silence."""
_FACTS_S: Final = 60.0
_STATION_S: Final = 5.0
_STATION_IDLE_S: Final = 30.0
_MOST: Final = 64
_NOT_PASSED: Final = ("name", "result", "value", "limit", "advice")


class Reporter:
    """Runs beside the offload. Nothing waits for it, and what goes wrong here is only logged."""

    def __init__(self, recorder: RecorderClient, watch: CameraWatch, backlog: Backlog, progress: Progress) -> None:
        self._recorder = recorder
        self._watch = watch
        self._backlog = backlog
        self._progress = progress
        self._change = asyncio.Event()
        self._queue: tuple[dict[str, Any], ...] = ()
        self._self_test: tuple[dict[str, Any], ...] = ()
        self._power = PowerReport()
        self._told: Offloading | None = None
        self.update: Callable[[], UpdateReport | None] = lambda: None
        """How far the update of the camera's software is."""
        progress.on_file = self._change.set

    # --- the recorder -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell the recorder for ever: at each change of file, at most once a second; retries `RECORDER_TROUBLE`."""
        told_s = facts_s = float("-inf")
        while True:
            self._change.clear()
            now_s = program_time.monotonic_s()
            try:
                if now_s - facts_s >= _FACTS_S:
                    await self._ask()
                    facts_s = now_s
                now = self.now()
                if now != self._told or now_s - told_s >= _QUIET_S:
                    await self._recorder.offloading(now)
                    self._told, told_s = now, now_s
            except RECORDER_TROUBLE as error:
                log.info("the recorder is not told how far the offload is: %s", error)
                await asyncio.sleep(_QUIET_S / 4)
            await self._pause()

    async def _ask(self) -> None:
        """What only the recorder knows, and what waits while nothing is uploaded."""
        await self._backlog.refresh(_FACTS_S / 2)
        self._progress.listed(self._backlog.files)
        oldest_s = (await self._recorder.facts("storage")).get("oldest_waiting_s")
        self._progress.oldest_s = oldest_s if isinstance(oldest_s, int) and oldest_s >= 0 else 0
        items = queue_items(await self._recorder.queue())
        self._queue = tuple(msgspec.to_builtins(one) for one in _newest(items))
        self._self_test = _not_passed(await self._recorder.facts("support"))
        self._power = power_of(await self._recorder.facts("power"))

    async def _pause(self) -> None:
        await asyncio.sleep(_LEAST_S / 4)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAST_S * 3 / 4):
                await self._change.wait()

    def now(self) -> Offloading:
        """How far the offload is."""
        settled = {(one.name, one.close_hash) for one in self._backlog.settled()}
        return self._progress.now(self._watch.permission, settled)

    # --- the station --------------------------------------------------------------------------------------------------

    async def beside(self, session: Session) -> None:
        """Tell the station for as long as a session lasts: every few seconds, and at each change of file."""
        link = session.new_link()
        while True:
            shown, report = self._shown(), self._report(session)  # what changes while it is told is told next
            if report is not None:
                answer = await asyncio.to_thread(
                    link.call, "POST", "/report", {"Content-Type": "application/json"}, encode(report)
                )
                if answer.status in {400, 404, 413}:
                    # A station that knows no reports, or not this one's words, takes evidence all the same.
                    log.info("the station takes no report: %d %s", answer.status, answer.body[:200])
                    return
                refuse(answer, "reporting to the station")
            quiet_s = _STATION_S if report is not None and report.offloading and report.offloading.current else None
            await self._next(shown, quiet_s or _STATION_IDLE_S)

    async def _next(self, before: tuple[object, ...], seconds: float) -> None:
        """Wait for the next file or status, or that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._watch.until(lambda: self._shown() != before)

    def _shown(self) -> tuple[object, ...]:
        """What the station is told of at once when it changes."""
        update = self.update()
        return (self.now().current, update.phase if update is not None else None, *_lasting(self._watch))

    def _report(self, session: Session) -> BayReport | None:
        status = self._watch.status
        if status is None:
            return None
        return BayReport(
            status=status,
            offloading=self.now(),
            agent=AGENT,
            clock_offset_ms=session.clock.offset_ms if session.clock is not None else None,
            clock_uncertainty_ms=session.clock.uncertainty_ms if session.clock is not None else None,
            update=self.update(),
            power=self._power,
            queue=self._queue,
            self_test=self._self_test,
            kept=tuple(_kept(one) for one in self._backlog.settled()[:_MOST]),
        )


def encode(report: BayReport) -> bytes:
    """A report as its JSON, without its lists if it would be too long. Pure."""
    data = msgspec.json.encode(report)
    if len(data) <= REPORT_BYTES:
        return data
    return msgspec.json.encode(msgspec.structs.replace(report, queue=(), self_test=(), kept=()))


def _kept(one: Settled) -> KeptFile:
    since = moment(int(max(0.0, one.since_s) * 1e9))
    return KeptFile(name=one.name, verdict=one.verdict, reason=one.reason[:300], since=since)


def _lasting(watch: CameraWatch) -> tuple[object, ...]:
    status = watch.status
    if status is None:
        return ()
    said = (status.state, status.docked, status.self_test, status.do_not_use, status.seized)
    return (*said, status.assigned, status.profile_next)


def power_of(facts: dict[str, Any]) -> PowerReport:
    """Battery and heat from the recorder's account; what is no sensible figure is not known. Pure."""
    zones = facts.get("zones_mc")
    board = [value for value in zones.values() if isinstance(value, int)] if isinstance(zones, dict) else []
    battery, health, cycles = (facts.get(key) for key in ("battery_dc", "health_percent", "cycles"))
    said = {
        "battery_c": round(battery / 10) if isinstance(battery, int) else None,
        "board_c": round(max(board) / 1000) if board else None,
        "health_percent": round(health) if isinstance(health, int | float) else None,
        "cycles": cycles,
    }
    try:
        return msgspec.convert(said, PowerReport)
    except msgspec.ValidationError:
        return PowerReport()


def _newest(items: list[QueueItem]) -> list[QueueItem]:
    return sorted(items, key=lambda one: one.id)[-_MOST:]


def _not_passed(facts: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The checks of the last self-test that warned or failed; whatever the recorder says, no more than expected."""
    test = facts.get("self_test")
    rows = test.get("checks") if isinstance(test, dict) else None
    found = [row for row in rows if isinstance(row, dict) and row.get("result") in ("warn", "fail")] if rows else []
    return tuple({key: row.get(key) for key in _NOT_PASSED} for row in found[:_MOST])

"""Per-shift usage (R36): counts through the log's own entries, signed as `usage` at the end of each period.

A period ends at the dock, at the end of a session and at shutdown; periods add up to a shift. The statement's details
are sealed; `firsthand-device usage` shows the running period, which holds no officer and no position.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device import usage_kept
from device.part import Part
from device.states import State
from device.usage_count import BY_WORD, INTERVALS, PLAIN, Usage, is_new_recording, late_by_ns
from device.writer import Job
from evidence.handover import Answer, Facts
from evidence.requests import FactsRequest, Request

if TYPE_CHECKING:
    from device.daemon import Daemon

LEAST_NS: Final = 1_000_000_000
ENDS: Final = {"docked": "docked", "session_ended": "session_ended"}
"""Entries that end a period, and what the statement then says."""
NO_TRIGGER: Final = frozenset({"record_button", "emergency_button", "function_button", "stealth_switch", "dock",
                               "ignition", "brake"})  # fmt: skip
"""Kinds of input that call for no recording by being active."""


class ShiftUsage(Part):
    """Counts. `logged` comes from any thread."""

    name = "usage"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._lock = threading.Lock()
        self._usage = Usage(daemon.clock.boottime_ns())
        self._idle_since_ns = 0
        """When the last recording ended."""
        self._path = Path(daemon.settings.state) / usage_kept.FILE
        self._counted = False
        """Something was counted that is not on the card yet."""
        self._kept_ns = 0
        self._opened: tuple[int, int] | None = None
        """When the recording that begins now was asked for, and how much ring there was (CLOCK_BOOTTIME, ns)."""

    def begin(self) -> None:
        self.state_changed(self.daemon.machine.state)
        cut_off = usage_kept.load(self._path)
        if cut_off is not None:
            self.daemon.log("usage", word="interrupted", details=cut_off)
            self._keep(None)

    def each_second(self, now_ns: int) -> None:
        """Keep what was counted, for the case that the power goes."""
        if self._counted and now_ns - self._kept_ns >= usage_kept.KEEP_EVERY_S * 10**9:
            self._kept_ns, self._counted = now_ns, False
            with self._lock:
                summary = self._usage.summary(now_ns)
            self._keep(summary)

    def _keep(self, summary: dict[str, Any] | None) -> None:
        """Nobody waits for it; behind the log's own entries, so that nothing is forgotten before it is signed."""
        self.daemon.writer.put(Job("usage", lambda: usage_kept.save(self._path, summary)))

    def state_changed(self, state: State) -> None:
        with self._lock:
            self._usage.state(state.value, self.daemon.clock.boottime_ns())

    def opening(self) -> Mapping[str, Any]:
        """The ring as it is before the trigger takes it."""
        self._opened = (self.daemon.clock.boottime_ns(), self.daemon.recorder.buffered_ns())
        return {}

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        now_ns = self.daemon.clock.boottime_ns()
        with self._lock:
            self._usage.logged(event, fields, now_ns)
            if is_new_recording(event, fields) and self._opened is not None:
                self._began(fields, *self._opened)
        self._counted |= event in BY_WORD or event in PLAIN or event in INTERVALS or event == "recording_opened"
        if event == "recording_closed":
            self._idle_since_ns = now_ns
        if event in ENDS:  # at once: docking closes the log segment that the station then takes in
            self.close_period(str(fields.get("word") or ENDS[event]))

    def _began(self, fields: Mapping[str, Any], now_ns: int, buffered_ns: int) -> None:
        self._opened = None
        details = fields.get("details")
        told = details if isinstance(details, Mapping) else {}
        trigger, at_ns = str(told.get("trigger", "unnamed")), told.get("at_ns")
        asked_ns = at_ns if isinstance(at_ns, int) else now_ns
        line, late_ns = late_by_ns(asked_ns, self._active_since(), self._idle_since_ns)
        wanted_ns = self.daemon.profile.profile.pre_event_s * 10**9
        self._usage.began(asked_ns, trigger, line, max(late_ns, now_ns - asked_ns), wanted_ns - buffered_ns)

    def _active_since(self) -> dict[str, int]:
        """Vehicle lines that are active now, and since when."""
        kinds = {name: one.kind for name, one in self.daemon.settings.inputs.items()}
        active = {line for line, level in self.daemon.inputs.levels.items() if level}
        return {
            line: at_ns
            for at_ns, line, level in self.daemon.inputs.timeline
            if level and line in active and kinds.get(line) not in NO_TRIGGER
        }

    def close_period(self, why: str) -> None:
        """Sign the period's numbers, and begin a new one. Docking ends a session too: that is one period."""
        now_ns = self.daemon.clock.boottime_ns()
        with self._lock:
            if now_ns - self._usage.began_ns < LEAST_NS and not self._usage.recordings:
                return
            summary = self._usage.summary(now_ns)
            self._usage = self._usage.next(now_ns)
        self._counted = False
        self.daemon.log("usage", word=why, details=summary)
        self._keep(None)
        self.daemon.on_loop(self.daemon.publish, "usage", why)

    def end(self) -> None:
        self.close_period("shutdown")

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, FactsRequest) or request.about != "usage":
            return None
        with self._lock:
            facts = self._usage.summary(self.daemon.clock.boottime_ns())
        return Facts(about="usage", facts=facts)

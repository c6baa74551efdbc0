"""What the camera does about what happens: triggers begin recordings, gestures stop them, trouble is told.

Everything here runs on the loop, but for what the recorder and the writer tell. Recording comes first (invariant 1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from device import indicators as patterns
from device.boot import Unfinished
from device.input_lines import MAX_TIMELINE
from device.opening import opening_metadata
from device.session import Session
from device.states import Event, State
from device.triggers import DockChanged, Intent, LineChanged, Press, Start, Stop
from evidence.statements import FileFacts, MediaFacts

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.conduct")

ALARM_EVERY_NS: Final = 5_000_000_000


class Conduct:
    """The conduct of one camera."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._alarmed_ns: dict[tuple[str, str], int] = {}
        """When each cause was last told, by recording."""
        self._reminded_ns = 0

    def each_second(self, now_ns: int) -> None:
        """Remind the officer that the camera records."""
        if self._daemon.recorder.session is None:
            return
        if now_ns - self._reminded_ns > patterns.RECORDING_REMINDER_S * 10**9:
            self._reminded_ns = now_ns
            self._daemon.signals.play(patterns.STARTED)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def act(self, intent: Intent) -> None:
        """Do what a gesture or a line means."""
        if isinstance(intent, Start):
            self.trigger(intent)
        elif isinstance(intent, Stop):
            self.stop("record_button")
        elif isinstance(intent, DockChanged):
            self._dock(intent)
        elif isinstance(intent, LineChanged):
            self._line_changed(intent)
        elif isinstance(intent, Press) and self._daemon.recorder.session is not None:
            self.mark("record_button")

    def _line_changed(self, change: LineChanged) -> None:
        session = self._daemon.recorder.session
        if session is not None and len(session.timeline) < MAX_TIMELINE:
            session.timeline.append([change.at_ns, change.line, int(change.active)])

    def _dock(self, change: DockChanged) -> None:
        daemon = self._daemon
        daemon.change(Event.DOCKED if change.docked else Event.UNDOCKED)
        daemon.log("docked" if change.docked else "undocked")
        if change.docked:
            daemon.boot.close_log("docked")
        elif daemon.recorder.session is None:
            daemon.spawn(daemon.examination.run())
        daemon.publish("docked" if change.docked else "undocked", None)

    # --- recording --------------------------------------------------------------------------------------------------

    def trigger(self, start: Start) -> None:
        """Begin a recording, or name one more trigger in the running one (R13-R15). Buttons are never refused."""
        daemon = self._daemon
        if daemon.machine.state is State.SHUTTING_DOWN:  # nobody would end it
            daemon.log("failure_to_record", word="shutting_down", details={"name": start.trigger})
            return
        if daemon.recorder.session is not None:
            if daemon.recorder.add_trigger(start):
                number = daemon.recorder.session.file.number
                daemon.log("trigger", recording=number, details={"name": start.trigger})
            return
        blocked = daemon.machine.blocked and not daemon.profile.profile.triggers_when_out_of_service
        if blocked and not start.manual:
            daemon.log("suppressed", word="out_of_service", details={"name": start.trigger, "at_ns": start.at_ns})
            daemon.publish("suppressed", start.trigger)
            return
        if not daemon.desk.receipts.room_to_start():
            self._refuse_full(start)
            return
        self._begin(start)

    def _refuse_full(self, start: Start) -> None:
        """No room, and nothing that may go: the one start that is refused, and loudly (requirements, storage full)."""
        log.error("the card is full: %s starts nothing; dock the camera", start.trigger)
        self._daemon.signals.play(patterns.ALARM)
        details = {"name": start.trigger, "at_ns": start.at_ns}
        self._daemon.log("failure_to_record", word="storage_full", details=details)
        self._daemon.publish("alarm", "storage_full")

    def _begin(self, start: Start, *, resumes: int | None = None, extra: Mapping[str, Any] | None = None) -> None:
        daemon = self._daemon
        session = daemon.recorder.start(start, {**self._opening(start), **(extra or {})}, resumes=resumes)
        self._reminded_ns = daemon.clock.boottime_ns()
        daemon.change(Event.TRIGGER)
        daemon.signals.play(patterns.STARTED)
        log.info("recording %s: %s", session.file.stem, start.trigger)
        daemon.log(
            "recording_opened", recording=session.file.number, word="degraded" if daemon.degraded else None,
            details={"trigger": start.trigger, "at_ns": start.at_ns},
        )  # fmt: skip

    def _opening(self, start: Start) -> dict[str, Any]:
        daemon = self._daemon
        return opening_metadata(
            start,
            daemon.profile.profile,
            daemon.hardware,
            power_on_ns=daemon.power_on_ns,
            lines=daemon.inputs.levels,
            timeline=daemon.inputs.timeline,
            self_test=daemon.examination.last,
            self_test_id=daemon.examination.id,
            parts=daemon.gather("opening"),
        )

    def stop(self, reason: str) -> None:
        """End the recording in progress, if there is one."""
        daemon = self._daemon
        if daemon.recorder.session is not None:
            daemon.recorder.session.extra.update(daemon.gather("closing"))
        session = daemon.recorder.stop(reason, daemon.clock.boottime_ns())
        if session is None:
            return
        daemon.change(Event.STOPPED)
        daemon.signals.play(patterns.STOPPED)

    def mark(self, origin: str) -> bool:
        """Put a marker into the running recording; False if none runs."""
        daemon = self._daemon
        if daemon.recorder.session is None:
            return False
        daemon.recorder.event("marker", None, {"origin": origin, "at_ns": daemon.clock.boottime_ns()})
        daemon.signals.play(patterns.MARKED)
        return True

    def resume(self, unfinished: Unfinished) -> None:
        """A crash cut an incident off: go on with it at once, then recover the old file (design)."""
        assert unfinished.in_progress is not None
        start = Start("resumed_after_restart", critical=True, at_ns=self._daemon.clock.boottime_ns(), manual=True)
        self._begin(start, resumes=unfinished.in_progress, extra={"resumes": unfinished.in_progress_name})

    async def recover(self, unfinished: Unfinished) -> None:
        """Recover what a crash left open, and check what was closed; nobody waits for it."""
        boot = self._daemon.boot
        damaged = await asyncio.to_thread(boot.spool.read_closed)
        await asyncio.to_thread(boot.log_unlogged)
        for path in (*unfinished.recordings, *damaged):
            facts = await asyncio.to_thread(boot.recover_recording, path)
            if facts is not None:
                self._daemon.publish("recovered", None, facts.name.removesuffix(".evidence"))

    # --- what the recorder and the writer tell (writer thread) --------------------------------------------------------

    def on_opened(self, session: Session) -> None:
        """The recording's `open` is durable."""
        daemon = self._daemon
        daemon.boot.save_counters()
        daemon.on_loop(daemon.publish, "recording_opened", session.triggers[0]["name"], session.file.stem)

    def on_durable(self, session: Session, facts: MediaFacts) -> None:
        """A fragment is durable."""
        last = facts.first_frame + facts.frames - 1
        self._daemon.on_loop(self._daemon.publish, "fragment", None, session.file.stem, last)

    def on_closed(self, session: Session, facts: FileFacts, reason: str) -> None:
        """The recording's `close` is durable."""
        daemon = self._daemon
        daemon.boot.closed(session.file.number, facts, reason)
        log.info("recording %s closed: %s, %d bytes", session.file.stem, reason, facts.bytes)
        daemon.on_loop(daemon.publish, "recording_closed", reason, session.file.stem)

    def on_trouble(self, session: Session, cause: str) -> None:
        """Something that should be recorded is not."""
        self._daemon.on_loop(self._trouble, session, cause)

    def _trouble(self, session: Session, cause: str) -> None:
        daemon = self._daemon
        now_ns, key = daemon.clock.boottime_ns(), (session.file.stem, cause)
        if now_ns - self._alarmed_ns.get(key, -ALARM_EVERY_NS) >= ALARM_EVERY_NS:
            self._alarmed_ns = {known: at for known, at in self._alarmed_ns.items() if now_ns - at < ALARM_EVERY_NS}
            self._alarmed_ns[key] = now_ns
            log.error("recording %s: %s", session.file.stem, cause)
            daemon.signals.play(patterns.ALARM)
            daemon.log("failure_to_record", recording=session.file.number, word=cause)
            daemon.publish("alarm", cause, session.file.stem)
        if cause == "storage_full" and daemon.recorder.session is session:
            daemon.recorder.drop_ring()
            self.stop("storage_full")

    def on_storage(self, error: OSError | None) -> None:
        """The card failed, or works again."""
        self._daemon.on_loop(self._daemon.publish, "storage", "works_again" if error is None else "error")

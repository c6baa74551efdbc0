"""What the camera does about what happens: every trigger, gesture and end goes through the state machine's table.

`happen` hands an event to the machine and carries out the actions that the table names. Loop only, but for what the
recorder and the writer tell. Recording comes first (invariant 1): prompts time out to the recording side.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from device import indicators as patterns
from device.beginning import Beginning
from device.boot import Unfinished
from device.categories import Categories
from device.pauses import Pauses
from device.privacy import Privacy
from device.session import Session
from device.states import Action, Event, Move, State
from device.stopping import Stopping, VoiceHeard, is_false_start
from device.triggers import Start
from evidence.statements import FileFacts, MediaFacts

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.conduct")

ALARM_EVERY_NS: Final = 5_000_000_000
PATIENCE: Final = 2
"""An officer who is still speaking or choosing is not cut off for so many times the reason window."""
CHOSEN_NS: Final = 2_500_000_000
"""A reason code stands when no further press came for this long."""


class Conduct:
    """The conduct of one camera."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.stopping: Stopping | None = None
        """The stop that is under way."""
        self.voice = VoiceHeard()
        self._beginning = Beginning(daemon)
        self._stepped_ns = 0
        """When the reason wheel was last pressed."""
        self._alarmed_ns: dict[tuple[str, str], int] = {}
        """When each cause was last told, by recording."""
        self._reminded_ns = 0
        self._suppressed: dict[str, Start] = {}
        """Automatic triggers that started nothing since the camera fell asleep or failed its test."""
        self._resumes: Mapping[str, Any] | None = None

    def each_second(self, now_ns: int) -> None:
        """Remind the officer that the camera records (R22)."""
        if self._daemon.machine.recording and now_ns - self._reminded_ns > patterns.RECORDING_REMINDER_S * 10**9:
            self._reminded_ns = now_ns
            self._daemon.signals.play(patterns.STARTED)

    def tick(self, now_ns: int) -> None:
        """Let states end whose time is over. Call it every 100 ms or so."""
        machine = self._daemon.machine
        if machine.state is State.STATING_REASON and self.stopping is not None:
            speaking = self.voice.speaking(now_ns)
            chosen = self.stopping.code is not None and now_ns - self._stepped_ns > CHOSEN_NS
            if chosen or (self.voice.heard and not speaking):
                self.happen(Event.REASON_GIVEN)
                return
            choosing = self.stopping.code is not None
            if (speaking or choosing) and now_ns - machine.since_ns < PATIENCE * machine.limits.reason_ns:
                return
        if machine.state is State.CONFIRMING_STOP and self._daemon.inputs.pressing():
            return  # pressed in time; whether it is one press or two is known in a moment
        deadline_ns = machine.deadline_ns()
        if deadline_ns is not None and now_ns >= deadline_ns:
            self.happen(Event.TIME_UP)

    def hear(self, level_dbfs: float, at_ns: int, duration_ns: int) -> None:
        """One piece of sound with its peak level (microphone's thread): does the officer speak?

        What a muted recording does not have is no spoken reason (R26).
        """
        if self._daemon.machine.flags["muted"]:
            return
        self.voice.sound(level_dbfs, at_ns, duration_ns)

    # --- events -----------------------------------------------------------------------------------------------------

    def trigger(self, start: Start) -> None:
        """Begin a recording, or name one more trigger in the running one (R13 to R18). Buttons are never refused."""
        event = Event.BUTTON if start.manual else Event.WAKING_TRIGGER if start.wakes else Event.TRIGGER
        row = self._daemon.machine.row(event)
        if row is not None and Action.BEGIN in row.actions and not self._daemon.desk.receipts.room_to_start():
            self._beginning.refused(start, "storage_full")
            return
        self.happen(event, start=start)

    def ask_to_stop(self, at_ns: int) -> None:
        """The officer held the record button (R25)."""
        if self._daemon.machine.state is State.RECORDING:
            if not self._daemon.machine.limits.confirm_ns and self._is_false_start(at_ns):
                self.stop("false_activation")
                return
            limits = self._daemon.machine.limits
            self.stopping = Stopping(at_ns, None if limits.confirm_ns else at_ns, asks_reason=bool(limits.reason_ns))
            self.happen(Event.STOP_ASKED)

    def confirm_stop(self, at_ns: int) -> None:
        """…and pressed it once more in time."""
        session, stopping = self._daemon.recorder.session, self.stopping
        if session is None or stopping is None or self._daemon.machine.state is not State.CONFIRMING_STOP:
            return
        if self._is_false_start(stopping.asked_ns):
            self.stop("false_activation")
            return
        stopping.confirmed_ns = at_ns
        self.happen(Event.CONFIRMED)

    def _is_false_start(self, asked_ns: int) -> bool:
        session = self._daemon.recorder.session
        if session is None:
            return False
        kinds = {str(one["kind"]) for one in session.triggers}
        within_s = self._daemon.profile.profile.false_start_cancel_s
        return is_false_start(kinds, session.triggers[0]["at_ns"], asked_ns, within_s)

    def give_reason(self, code: str, supervisor: str | None) -> bool:
        """The reason of the stop that waits for one; False if none does (R24 to R26)."""
        if self.stopping is None or self._daemon.machine.state is not State.STATING_REASON:
            return False
        self.stopping.code, self.stopping.supervisor = code, supervisor
        self.happen(Event.REASON_GIVEN)
        return True

    def step_reason(self, now_ns: int) -> None:
        """One press further on the reason wheel."""
        if self.stopping is not None:
            self._stepped_ns = now_ns
            self.stopping.step()
            self._daemon.signals.play(patterns.WHEEL(self.stopping.presses))

    def stop(self, reason: str) -> None:
        """End the recording for a reason of its own: card full, battery empty, test clip over."""
        if self._daemon.recorder.session is not None:
            self.happen(Event.END, reason=reason)

    def happen(
        self, event: Event, *, start: Start | None = None, reason: str = "record_button", blocked: bool | None = None
    ) -> Move | None:
        """Hand an event to the state machine and do what the table says."""
        daemon = self._daemon
        before = daemon.machine.state
        move = daemon.machine.handle(event, daemon.clock.boottime_ns(), blocked=blocked)
        if move is None:
            return None
        if before is State.STATING_REASON and move.after is not before:
            self._end_of_window()
        for action in move.actions:
            self._do(action, start, "shutdown" if event is Event.SHUTDOWN else reason)
        if move.before is not move.after:
            self._daemon.moved(move)
        if daemon.machine.recording and daemon.recorder.session is None:
            self.happen(Event.END)  # the start failed: there is always a next one
        if move.before in (State.SLEEP, State.OUT_OF_SERVICE) and move.after is not move.before:
            self._catch_up(move.after)
        return move

    def _catch_up(self, state: State) -> None:
        """A line that was suppressed and is still active when the camera may record again is a trigger now (R28)."""
        suppressed, self._suppressed = self._suppressed, {}
        if state is not State.READY:
            return
        levels = self._daemon.inputs.levels
        for start in suppressed.values():
            if levels.get(start.trigger, False):
                self.trigger(replace(start, at_ns=self._daemon.clock.boottime_ns()))

    def _do(self, action: Action, start: Start | None, reason: str) -> None:
        daemon = self._daemon
        if action is Action.BEGIN and start is not None:
            self._begin(start)
        elif action is Action.ADD and start is not None:
            self._add(start)
        elif action is Action.SUPPRESS and start is not None:
            word = "asleep" if daemon.machine.state is State.SLEEP and not start.wakes else "out_of_service"
            self._suppressed[start.trigger] = start
            daemon.log("suppressed", word=word, details={"name": start.trigger, "at_ns": start.at_ns})
            daemon.publish("suppressed", start.trigger)
        elif action is Action.REFUSE and start is not None:  # nobody would end it
            self._beginning.refused(start, "shutting_down")
        elif action is Action.ASK_CONFIRMATION:
            daemon.recorder.event("stop_asked", None, None)
        elif action is Action.ASK_REASON:
            self.voice.listen()
            daemon.recorder.event("stop_confirmed", None, None)
        elif action is Action.GO_ON:
            self.stopping = None
            daemon.recorder.event("stop_withdrawn", None, None)
            daemon.signals.play(patterns.STARTED)
        elif action is Action.CLOSE:
            self._close(reason)
        elif action is Action.RING_OFF:
            daemon.recorder.buffer_off()
        elif action is Action.RING_ON:
            daemon.recorder.buffer_on()
        elif action is Action.ABORT_UPDATE:
            daemon.log("update_aborted")
            daemon.publish("update_aborted", None)

    # --- actions ----------------------------------------------------------------------------------------------------

    def _begin(self, start: Start) -> None:
        daemon = self._daemon
        now_ns = daemon.clock.boottime_ns()
        session = self._beginning.start(start, self._resumes or {})
        if session is None:
            return
        self._reminded_ns = now_ns
        daemon.signals.play(patterns.STARTED)
        log.info("recording %s: %s", session.file.stem, start.trigger)
        daemon.log(
            "recording_opened", recording=session.file.number, word="degraded" if daemon.degraded else None,
            details={"trigger": start.trigger, "kind": start.kind, "at_ns": start.at_ns},
        )  # fmt: skip
        daemon.part(Pauses).reactivated(session.file.number, now_ns)
        daemon.part(Categories).preset(start, session.file.number, session.file.stem)
        daemon.peers.announce(start, session.incident)

    def _add(self, start: Start) -> None:
        daemon = self._daemon
        if daemon.recorder.add_trigger(start) and daemon.recorder.session is not None:
            session = daemon.recorder.session
            daemon.log("trigger", recording=session.file.number, details={"name": start.trigger, "kind": start.kind})
            daemon.part(Categories).preset(start, session.file.number, session.file.stem)
            daemon.peers.announce(start, session.incident)
            if start.critical and not any(one["critical"] for one in session.triggers[:-1]):
                daemon.boot.spool.appended.urgent(session.file.stem)

    def _close(self, reason: str) -> None:
        daemon = self._daemon
        daemon.part(Privacy).unmute()
        session, stopping = daemon.recorder.session, self.stopping
        self.stopping = None
        if session is None:
            return
        session.extra.update(daemon.gather("closing"))
        if stopping is not None:
            session.extra.update(stopping.facts())
        if reason == "false_activation":
            session.extra["labels"] = [*session.extra.get("labels", ()), reason]
            daemon.log("labelled", word=reason, recording=session.file.number, details={"origin": "false start"})
        daemon.recorder.stop(reason, daemon.clock.boottime_ns())
        daemon.signals.play(patterns.STOPPED)
        if stopping is not None and reason == "record_button":
            daemon.log(
                "stop_reason",
                word=stopping.word,
                recording=session.file.number,
                details=stopping.facts()["stop_reason"],
            )
            if stopping.reason_missing:
                daemon.publish("reason_missing", None, session.file.stem)
        number, stem = session.file.number, session.file.stem
        daemon.part(Pauses).stopped(number, stem, stopping if reason == "record_button" else None)
        if reason == "false_activation":
            daemon.part(Pauses).false_start()
        daemon.part(Categories).stopped(number, stem, reason, session.earlier)

    def _end_of_window(self) -> None:
        if self.stopping is not None:
            self.stopping.spoken = self.voice.heard
        self.voice.done()

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
        self._resumes = {"number": unfinished.in_progress, "resumes": unfinished.in_progress_name}
        try:
            self.happen(Event.BUTTON, start=start)
        finally:
            self._resumes = None

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
        daemon.boot.save_counters(session.file.number)
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
        if cause == "storage_full" and session in daemon.recorder.sessions:
            daemon.recorder.drop_ring()
            self.stop("storage_full")

    def on_storage(self, error: OSError | None) -> None:
        """The card failed, or works again."""
        self._daemon.on_loop(self._daemon.publish, "storage", "works_again" if error is None else "error")

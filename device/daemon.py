"""The camera daemon: everything put together. One asyncio loop for control, one writer thread, the drivers' threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from device import indicators as patterns
from device.boot import Boot, Unfinished
from device.config import DeviceSettings
from device.control import ControlServer
from device.desk import Desk
from device.examination import Examination
from device.hardware import Hardware
from device.identity import Identity
from device.input_lines import MAX_TIMELINE, InputLines
from device.opening import opening_metadata
from device.profile import AcceptedProfile
from device.recorder import Recorder, Told
from device.ring import Ring
from device.service import notify
from device.session import Session
from device.signals import Signals
from device.sources import Sources
from device.states import Event, Machine, State
from device.timekeeping import ClockWatch, Step
from device.triggers import DockChanged, Intent, LineChanged, Press, Start, Stop
from device.writer import Writer
from evidence.handover import Notice
from evidence.statements import FileFacts, MediaFacts

log = logging.getLogger("firsthand.device")

TICK_S: Final = 0.1
DRAIN_S: Final = 10.0
CLOSE_AGAIN_NS: Final = 5_000_000_000
ALARM_EVERY_NS: Final = 5_000_000_000


class Daemon:
    """One camera. `run` returns when it was asked to shut down."""

    def __init__(
        self, settings: DeviceSettings, identity: Identity, profile: AcceptedProfile, hardware: Hardware
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.profile = profile
        self.hardware = hardware
        self.clock = hardware.clock
        self.machine = Machine()
        self.examination = Examination(self)
        self.power_on_ns = self.clock.boottime_ns()
        policy = profile.profile
        self.writer = Writer(
            (settings.queue_mib + policy.ring_mib) * 2**20,  # a whole ring must fit at a trigger
            make_room=lambda reserve: self.desk.receipts.make_room(use_reserve=reserve),
            on_trouble=self._on_storage,
        )
        ring = Ring(policy.pre_event_s * 10**9, policy.ring_mib * 2**20, policy.pre_event_audio)
        self.boot = Boot(settings, identity, profile, hardware, self.writer)
        self.recorder = Recorder(
            ring,
            self.writer,
            self.boot.make_file,
            self.boot.recording_fields,
            Told(self._on_opened, self._on_durable, self._on_closed, self._on_trouble),
        )
        self.desk = Desk(self)
        self.control = ControlServer(Path(settings.socket), self.desk.answer, frozenset(settings.peer_uids))
        self.inputs = InputLines(settings.inputs, policy, self.clock, self._act)
        self.sources = Sources(hardware, self.recorder, self._fault, self.boot.log_clock)
        self.signals = Signals(hardware.indicators, self._fault)
        self._clock_watch = ClockWatch(self.clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarmed_ns: dict[tuple[str, str], int] = {}
        """When each cause was last told, by recording."""
        self._reminded_ns = 0
        self._close_again_ns = 0

    # --- life ---------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Ask `run` to end. Safe from signal handlers of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Boot, work, and shut down in order. Recording is possible as soon as the first key frame is in the ring."""
        self._loop = asyncio.get_running_loop()
        unfinished = self.boot.begin()
        self.writer.start()
        self.signals.show(self.machine.state)
        self.sources.start()
        self.sources.start_switches(lambda edge: self.on_loop(self.inputs.edge, edge))
        self.boot.log_boot(self.hardware.missing)
        if unfinished.in_progress is not None:
            self._resume(unfinished)
        self._spawn(self._recover(unfinished))
        await self._start_control()
        self._spawn(self.examination.run())
        notify("READY=1")
        try:
            await self._tick_until_stopped()
        finally:
            await self._finish()

    async def _start_control(self) -> None:
        """Without its socket the camera cannot be docked, but it records (invariant 1)."""
        try:
            await self.control.start()
        except OSError as error:
            self._fault("socket", f"{self.settings.socket}: {error.strerror or error}: check the path and its owner")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick_until_stopped(self) -> None:
        ticks = 0
        while not self._stopping.is_set():
            self.recorder.tick(self.clock.boottime_ns())
            if ticks % 10 == 0:
                self._each_second()
            ticks += 1
            try:
                await asyncio.wait_for(self._stopping.wait(), TICK_S)
            except TimeoutError:
                continue

    def _each_second(self) -> None:
        now_ns = self.clock.boottime_ns()
        step = self._clock_watch.look()
        if step is not None:
            self._clock_stepped(step)
        self.desk.each_second(now_ns)
        self.sources.watch(now_ns)
        if now_ns - self._close_again_ns > CLOSE_AGAIN_NS:
            self._close_again_ns = now_ns
            self.recorder.close_again()
        if self.recorder.session is not None and now_ns - self._reminded_ns > patterns.RECORDING_REMINDER_S * 10**9:
            self._reminded_ns = now_ns
            self.signals.play(patterns.STARTED)
        if self.writer.alive:
            notify("WATCHDOG=1")

    async def _finish(self) -> None:
        """Close what is open, in order: recording, log, sockets, drivers."""
        notify("STOPPING=1")
        self.change(Event.SHUTDOWN)
        if self.recorder.session is not None:
            self.recorder.stop("shutdown", self.clock.boottime_ns())
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.sources.stop)
        # What is closed tells the log: that must have happened before the log's own end is queued.
        await asyncio.to_thread(self.writer.drain, DRAIN_S)
        self.boot.log("shutdown")
        self.boot.close_log("shutdown")
        await asyncio.to_thread(self.writer.stop)
        self.desk.receipts.save()
        await self.control.stop()
        self.signals.stop()

    def on_loop(self, call: Any, *arguments: Any) -> None:
        """Run something on the loop, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- hardware -------------------------------------------------------------------------------------------------

    def _fault(self, part: str, text: str) -> None:
        """A driver's fault: logged and signed, from any thread. Recording goes on."""
        log.warning("%s: %s", part, text)
        self.boot.log("fault", word=part, details={"text": text[:500]})
        self.on_loop(self.publish, "fault", part)

    def _clock_stepped(self, step: Step) -> None:
        log.warning("the clock: %s, from %s to %s", step.cause, step.before.utc.earliest, step.after.utc.earliest)
        self.boot.log_clock(step)
        self.recorder.clock_step(step.before, step.after, step.cause)
        self.publish("clock", step.cause)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _act(self, intent: Intent) -> None:
        if isinstance(intent, Start):
            self.trigger(intent)
        elif isinstance(intent, Stop):
            self.stop("record_button")
        elif isinstance(intent, DockChanged):
            self._dock(intent)
        elif isinstance(intent, LineChanged):
            self._line_changed(intent)
        elif isinstance(intent, Press) and self.recorder.session is not None:
            self.mark("record_button")

    def _line_changed(self, change: LineChanged) -> None:
        session = self.recorder.session
        if session is not None and len(session.timeline) < MAX_TIMELINE:
            session.timeline.append([change.at_ns, change.line, int(change.active)])

    def _dock(self, change: DockChanged) -> None:
        self.change(Event.DOCKED if change.docked else Event.UNDOCKED)
        self.boot.log("docked" if change.docked else "undocked")
        if change.docked:
            self.boot.close_log("docked")
        elif self.recorder.session is None:
            self._spawn(self.examination.run())
        self.publish("docked" if change.docked else "undocked", None)

    # --- recording --------------------------------------------------------------------------------------------------

    def trigger(self, start: Start) -> None:
        """Begin a recording, or name one more trigger in the running one (R13-R15). Buttons are never refused."""
        if self.machine.state is State.SHUTTING_DOWN:  # nobody would end it
            self.boot.log("failure_to_record", word="shutting_down", details={"name": start.trigger})
            return
        if self.recorder.session is not None:
            if self.recorder.add_trigger(start):
                self.boot.log("trigger", recording=self.recorder.session.file.number, details={"name": start.trigger})
            return
        blocked = self.machine.blocked and not self.profile.profile.triggers_when_out_of_service
        if blocked and not start.manual:
            self.boot.log("suppressed", word="out_of_service", details={"name": start.trigger, "at_ns": start.at_ns})
            self.publish("suppressed", start.trigger)
            return
        if not self.desk.receipts.room_to_start():
            self._refuse_full(start)
            return
        self._begin(start)

    def _refuse_full(self, start: Start) -> None:
        """No room, and nothing that may go: the one start that is refused, and loudly (requirements, storage full)."""
        log.error("the card is full: %s starts nothing; dock the camera", start.trigger)
        self.signals.play(patterns.ALARM)
        self.boot.log("failure_to_record", word="storage_full", details={"name": start.trigger, "at_ns": start.at_ns})
        self.publish("alarm", "storage_full")

    def _begin(self, start: Start, *, resumes: int | None = None, extra: Mapping[str, Any] | None = None) -> None:
        session = self.recorder.start(start, {**self._opening(start), **(extra or {})}, resumes=resumes)
        self._reminded_ns = self.clock.boottime_ns()
        self.change(Event.TRIGGER)
        self.signals.play(patterns.STARTED)
        log.info("recording %s: %s", session.file.stem, start.trigger)
        self.boot.log(
            "recording_opened", recording=session.file.number, word="degraded" if self.degraded else None,
            details={"trigger": start.trigger, "at_ns": start.at_ns},
        )  # fmt: skip

    @property
    def degraded(self) -> bool:
        """The last self-test failed something, or a part could not be started."""
        test = self.examination.last
        return bool(self.hardware.missing) or (test is not None and test.verdict == "block")

    def _opening(self, start: Start) -> dict[str, Any]:
        return opening_metadata(
            start,
            self.profile.profile,
            self.hardware,
            power_on_ns=self.power_on_ns,
            lines=self.inputs.levels,
            timeline=self.inputs.timeline,
            self_test=self.examination.last,
            self_test_id=self.examination.id,
        )

    def stop(self, reason: str) -> None:
        """End the recording in progress, if there is one."""
        session = self.recorder.stop(reason, self.clock.boottime_ns())
        if session is None:
            return
        self.change(Event.STOPPED)
        self.signals.play(patterns.STOPPED)

    def mark(self, origin: str) -> bool:
        """Put a marker into the running recording; False if none runs."""
        if self.recorder.session is None:
            return False
        self.recorder.event("marker", None, {"origin": origin, "at_ns": self.clock.boottime_ns()})
        self.signals.play(patterns.MARKED)
        return True

    def _resume(self, unfinished: Unfinished) -> None:
        """A crash cut an incident off: go on with it at once, then recover the old file (design)."""
        assert unfinished.in_progress is not None
        start = Start("resumed_after_restart", critical=True, at_ns=self.clock.boottime_ns(), manual=True)
        self._begin(start, resumes=unfinished.in_progress, extra={"resumes": unfinished.in_progress_name})

    async def _recover(self, unfinished: Unfinished) -> None:
        damaged = await asyncio.to_thread(self.boot.spool.read_closed)
        await asyncio.to_thread(self.boot.log_unlogged)
        for path in (*unfinished.recordings, *damaged):
            facts = await asyncio.to_thread(self.boot.recover_recording, path)
            if facts is not None:
                self.publish("recovered", None, facts.name.removesuffix(".evidence"))

    # --- what the recorder and the writer tell (writer thread) --------------------------------------------------------

    def _on_opened(self, session: Session) -> None:
        self.boot.save_counters()
        self.on_loop(self.publish, "recording_opened", session.triggers[0]["name"], session.file.stem)

    def _on_durable(self, session: Session, facts: MediaFacts) -> None:
        self.on_loop(self.publish, "fragment", None, session.file.stem, facts.first_frame + facts.frames - 1)

    def _on_closed(self, session: Session, facts: FileFacts, reason: str) -> None:
        self.boot.closed(session.file.number, facts, reason)
        log.info("recording %s closed: %s, %d bytes", session.file.stem, reason, facts.bytes)
        self.on_loop(self.publish, "recording_closed", reason, session.file.stem)

    def _on_trouble(self, session: Session, cause: str) -> None:
        self.on_loop(self._trouble, session, cause)

    def _trouble(self, session: Session, cause: str) -> None:
        now_ns, key = self.clock.boottime_ns(), (session.file.stem, cause)
        if now_ns - self._alarmed_ns.get(key, -ALARM_EVERY_NS) >= ALARM_EVERY_NS:
            self._alarmed_ns = {known: at for known, at in self._alarmed_ns.items() if now_ns - at < ALARM_EVERY_NS}
            self._alarmed_ns[key] = now_ns
            log.error("recording %s: %s", session.file.stem, cause)
            self.signals.play(patterns.ALARM)
            self.boot.log("failure_to_record", recording=session.file.number, word=cause)
            self.publish("alarm", cause, session.file.stem)
        if cause == "storage_full" and self.recorder.session is session:
            self.recorder.drop_ring()
            self.stop("storage_full")

    def _on_storage(self, error: OSError | None) -> None:
        self.on_loop(self.publish, "storage", "works_again" if error is None else "error")

    # --- state --------------------------------------------------------------------------------------------------------

    def change(self, event: Event, *, blocked: bool | None = None) -> None:
        state = self.machine.handle(event, blocked=blocked)
        if state is not None:
            self.boot.log("state", word=state.value)
            self.signals.show(self.machine.state)
            self.publish("state", state.value)

    def publish(self, event: str, word: str | None, recording: str | None = None, number: int | None = None) -> None:
        self.control.publish(
            Notice(event=event, mono_ns=self.clock.boottime_ns(), word=word, recording=recording, number=number)
        )

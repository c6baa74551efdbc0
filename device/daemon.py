"""The camera daemon: everything put together. One asyncio loop for control, one writer thread, the drivers' threads."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from device import indicators as patterns
from device.boot import Boot, Unfinished
from device.checks import Bench
from device.config import DeviceSettings
from device.control import ControlServer
from device.desk import Desk
from device.hardware import Hardware
from device.identity import Identity
from device.profile import AcceptedProfile
from device.recorder import Recorder, Told
from device.ring import Ring
from device.selftest import SelfTest, self_test_id
from device.selftest import run as run_self_test
from device.service import notify
from device.session import Session
from device.states import Event, Machine
from device.timekeeping import ClockWatch, GnssWatch, Step
from device.triggers import (
    BUTTON_DEBOUNCE_NS,
    DockChanged,
    Inputs,
    Intent,
    LineChanged,
    LineRule,
    Press,
    Start,
    Stop,
)
from device.writer import Writer
from evidence.handover import Notice
from evidence.statements import FileFacts, MediaFacts
from hal.errors import HalError
from hal.gps import GpsEpoch
from hal.switches import Edge

log = logging.getLogger("firsthand.device")

TICK_S: Final = 0.1
RETRY_CAMERA_NS: Final = 5_000_000_000
"""A sensor that did not start is started again this often; one that is silent for so long is said to be."""
MAX_TIMELINE: Final = 2_000
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
        self.self_test: SelfTest | None = None
        self.self_test_id: str | None = None
        self.power_on_ns = self.clock.boottime_ns()
        policy = profile.profile
        self.writer = Writer(
            settings.queue_mib * 2**20, make_room=lambda: self.desk.receipts.make_room(), on_trouble=self._on_storage
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
        self.inputs = Inputs(
            {
                name: LineRule(
                    one.kind,
                    one.critical,
                    1_000_000 * one.debounce_ms
                    if one.debounce_ms is not None
                    else BUTTON_DEBOUNCE_NS
                    if one.kind.endswith("button")
                    else policy.debounce_ms * 1_000_000,
                )
                for name, one in settings.inputs.items()
            },
            double_press_ns=policy.double_press_ms * 1_000_000,
            hold_ns=policy.hold_to_stop_ms * 1_000_000,
        )
        self.timeline: list[list[Any]] = []
        self._clock_watch = ClockWatch(self.clock)
        self._gnss_watch = GnssWatch(self.clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._input_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarmed_ns = 0
        self._reminded_ns = 0
        self._camera_retry_ns = 0
        self._camera_started = False

    # --- life ---------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Ask `run` to end. Safe from signal handlers of the loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Boot, work, and shut down in order. Recording is possible as soon as the first key frame is in the ring."""
        self._loop = asyncio.get_running_loop()
        unfinished = self.boot.begin()
        self.writer.start()
        self._set_indicators()
        self._start_sources()
        self._start_switches()
        self.boot.log_boot(self.hardware.missing)
        if unfinished.in_progress is not None:
            self._resume(unfinished)
        self._spawn(self._recover(unfinished))
        await self.control.start()
        self._spawn(self._self_test())
        notify("READY=1")
        try:
            await self._tick_until_stopped()
        finally:
            await self._finish()

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
        self._watch_camera(now_ns)
        if self.recorder.session is not None and now_ns - self._reminded_ns > patterns.RECORDING_REMINDER_S * 10**9:
            self._reminded_ns = now_ns
            self._play(patterns.STARTED)
        if self.writer.alive:
            notify("WATCHDOG=1")

    async def _finish(self) -> None:
        """Close what is open, in order: recording, log, sockets, drivers."""
        notify("STOPPING=1")
        self._change(Event.SHUTDOWN)
        if self.recorder.session is not None:
            self.recorder.stop("shutdown")
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        hardware = self.hardware
        for driver in (hardware.switches, hardware.gps, hardware.microphone, hardware.camera):
            if driver is not None:
                await asyncio.to_thread(driver.stop)
        self.boot.log("shutdown")
        self.boot.close_log("shutdown")
        await asyncio.to_thread(self.writer.stop)
        self.desk.receipts.save()
        await self.control.stop()
        if hardware.indicators is not None:
            hardware.indicators.stop()

    def on_loop(self, call: Any, *arguments: Any) -> None:
        """Run something on the loop, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- hardware -------------------------------------------------------------------------------------------------

    def _start_sources(self) -> None:
        hardware = self.hardware
        self._start_camera()
        if hardware.microphone is not None:
            try:
                hardware.microphone.start(self.recorder.on_sound, lambda text: self._fault("microphone", text))
            except (HalError, OSError) as error:
                self._fault("microphone", str(error))
        if hardware.gps is not None:
            try:
                hardware.gps.start(self._on_epoch, lambda text: self._fault("gps", text))
            except (HalError, OSError) as error:
                self._fault("gps", str(error))

    def _start_camera(self) -> None:
        camera = self.hardware.camera
        self._camera_retry_ns = self.clock.boottime_ns() + RETRY_CAMERA_NS
        if camera is None:
            return
        try:
            camera.start(self.recorder.on_frame, lambda text: self._fault("camera", text))
            self._camera_started = True
        except (HalError, OSError) as error:
            self._fault("camera", str(error))

    def _watch_camera(self, now_ns: int) -> None:
        """Say that a sensor is silent, and try again one that did not start (its recovery is the driver's job)."""
        last_ns = self.recorder.last_frame_ns or 0
        if self.hardware.camera is None or now_ns < self._camera_retry_ns or now_ns - last_ns < RETRY_CAMERA_NS:
            return
        self._camera_retry_ns = now_ns + RETRY_CAMERA_NS
        if self._camera_started:
            self._fault("camera", "no frames for 5 s")
        else:
            self._start_camera()

    def _start_switches(self) -> None:
        if self.hardware.switches is None:
            self._fault("switches", "no input line can be read")
            return
        try:
            self.hardware.switches.start(lambda edge: self.on_loop(self._on_edge, edge))
        except (HalError, OSError) as error:
            self._fault("switches", str(error))

    def _fault(self, part: str, text: str) -> None:
        """A driver's fault: logged and signed, from any thread. Recording goes on."""
        log.warning("%s: %s", part, text)
        self.boot.log("fault", word=part, details={"text": text[:500]})
        self.on_loop(self.publish, "fault", part)

    def _on_epoch(self, epoch: GpsEpoch) -> None:
        self.recorder.on_epoch(epoch)
        step = self._gnss_watch.look(epoch)
        if step is not None:
            self.boot.log_clock(step)

    def _clock_stepped(self, step: Step) -> None:
        log.warning("the clock: %s, from %s to %s", step.cause, step.before.utc.earliest, step.after.utc.earliest)
        self.boot.log_clock(step)
        self.recorder.clock_step(step.before, step.after, step.cause)
        self.publish("clock", step.cause)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _on_edge(self, edge: Edge) -> None:
        self._act(self.inputs.edge(edge))

    def _on_input_time(self) -> None:
        self._act(self.inputs.tick(self.clock.boottime_ns()))

    def _act(self, intents: list[Intent]) -> None:
        for intent in intents:
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
        if self._input_timer is not None:
            self._input_timer.cancel()
            self._input_timer = None
        deadline_ns = self.inputs.deadline_ns()
        if deadline_ns is not None and self._loop is not None:
            delay_s = max(0.0, (deadline_ns - self.clock.boottime_ns()) / 1e9) + 0.001
            self._input_timer = self._loop.call_later(delay_s, self._on_input_time)

    def _line_changed(self, change: LineChanged) -> None:
        row = [change.at_ns, change.line, int(change.active)]
        self.timeline.append(row)
        del self.timeline[:-MAX_TIMELINE]
        session = self.recorder.session
        if session is not None and len(session.timeline) < MAX_TIMELINE:
            session.timeline.append(row)

    def _dock(self, change: DockChanged) -> None:
        self._change(Event.DOCKED if change.docked else Event.UNDOCKED)
        self.boot.log("docked" if change.docked else "undocked")
        if change.docked:
            self.boot.close_log("docked")
        elif self.recorder.session is None:
            self._spawn(self._self_test())
        self.publish("docked" if change.docked else "undocked", None)

    # --- recording --------------------------------------------------------------------------------------------------

    def trigger(self, start: Start) -> None:
        """Begin a recording, or name one more trigger in the running one (R13-R15). Buttons are never refused."""
        if self.recorder.session is not None:
            if self.recorder.add_trigger(start):
                self.boot.log("trigger", recording=self.recorder.session.file.number, details={"name": start.trigger})
            return
        blocked = self.machine.blocked and not self.profile.profile.triggers_when_out_of_service
        if blocked and not start.manual:
            self.boot.log("suppressed", word="out_of_service", details={"name": start.trigger, "at_ns": start.at_ns})
            self.publish("suppressed", start.trigger)
            return
        self._begin(start)

    def _begin(self, start: Start, *, resumes: int | None = None, extra: Mapping[str, Any] | None = None) -> None:
        session = self.recorder.start(start, {**self._opening(start), **(extra or {})}, resumes=resumes)
        self._reminded_ns = self.clock.boottime_ns()
        self._change(Event.TRIGGER)
        self._play(patterns.STARTED)
        log.info("recording %s: %s", session.file.stem, start.trigger)
        self.boot.log(
            "recording_opened", recording=session.file.number, word="degraded" if self.degraded else None,
            details={"trigger": start.trigger, "at_ns": start.at_ns},
        )  # fmt: skip

    @property
    def degraded(self) -> bool:
        """The last self-test failed something, or a part could not be started."""
        return bool(self.hardware.missing) or (self.self_test is not None and self.self_test.verdict == "block")

    def _opening(self, start: Start) -> dict[str, Any]:
        policy = self.profile.profile
        since_ns = start.at_ns - policy.pre_event_s * 10**9
        test = self.self_test
        return {
            "recording": None,
            "profile": msgspec.to_builtins(policy),
            "power_on_ns": self.power_on_ns,
            "pre_event_audio": policy.pre_event_audio,
            "sound_absent_because": None if policy.pre_event_audio else "the profile keeps no sound before a trigger",
            "microphone": self.hardware.microphone is not None,
            "lines": self.inputs.levels,
            "timeline": [row for row in self.timeline if row[0] >= since_ns],
            "officer": None,
            "officer_identified_by": "none",
            "self_test": {"id": self.self_test_id, "verdict": test.verdict if test else None},
            "degraded": [*(test.failed if test and test.verdict == "block" else ()), *self.hardware.missing],
        }

    def stop(self, reason: str) -> None:
        """End the recording in progress, if there is one."""
        session = self.recorder.stop(reason)
        if session is None:
            return
        self._change(Event.STOPPED)
        self._play(patterns.STOPPED)

    def mark(self, origin: str) -> bool:
        """Put a marker into the running recording; False if none runs."""
        if self.recorder.session is None:
            return False
        self.recorder.event("marker", None, {"origin": origin, "at_ns": self.clock.boottime_ns()})
        self._play(patterns.MARKED)
        return True

    def _resume(self, unfinished: Unfinished) -> None:
        """A crash cut an incident off: go on with it at once, then recover the old file (design)."""
        assert unfinished.in_progress is not None
        start = Start("resumed_after_restart", critical=True, at_ns=self.clock.boottime_ns(), manual=True)
        self._begin(start, resumes=unfinished.in_progress, extra={"resumes": unfinished.in_progress_name})

    async def _recover(self, unfinished: Unfinished) -> None:
        for path in unfinished.recordings:
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
        now_ns = self.clock.boottime_ns()
        if now_ns - self._alarmed_ns > ALARM_EVERY_NS or self._alarmed_ns == 0:
            self._alarmed_ns = now_ns
            log.error("recording %s: %s", session.file.stem, cause)
            self._play(patterns.ALARM)
            self.boot.log("failure_to_record", recording=session.file.number, word=cause)
            self.publish("alarm", cause, session.file.stem)
        if cause == "storage_full" and self.recorder.session is session:
            self.recorder.drop_ring()
            self.stop("storage_full")

    def _on_storage(self, error: OSError | None) -> None:
        self.on_loop(self.publish, "storage", "works_again" if error is None else "error")

    # --- state --------------------------------------------------------------------------------------------------------

    def _change(self, event: Event, *, blocked: bool | None = None) -> None:
        state = self.machine.handle(event, blocked=blocked)
        if state is not None:
            self.boot.log("state", word=state.value)
            self._set_indicators()
            self.publish("state", state.value)

    def _set_indicators(self) -> None:
        if self.hardware.indicators is not None:
            try:
                patterns.show_state(self.hardware.indicators, self.machine.state)
            except (HalError, OSError) as error:
                self._fault("indicators", str(error))

    def _play(self, pattern: tuple[patterns.Pattern, ...]) -> None:
        if self.hardware.indicators is not None:
            try:
                patterns.play(self.hardware.indicators, pattern)
            except (HalError, OSError) as error:
                self._fault("indicators", str(error))

    def publish(self, event: str, word: str | None, recording: str | None = None, number: int | None = None) -> None:
        self.control.publish(
            Notice(event=event, mono_ns=self.clock.boottime_ns(), word=word, recording=recording, number=number)
        )

    async def _self_test(self) -> None:
        """Run the self-test in a thread; recording is possible all the while (invariant 1)."""
        if self.machine.testing:
            return
        self._change(Event.SELF_TEST_BEGAN)
        test = await asyncio.to_thread(run_self_test, self.bench().checks(), self.profile)
        self.self_test = test
        self.self_test_id = self_test_id(test, self.clock.boot_id, self.clock.boottime_ns())
        self.boot.log(
            "self_test",
            word=test.verdict,
            details={"id": self.self_test_id, "checks": [one.row() for one in test.results]},
        )
        for one in test.results:
            if one.result != "pass":
                log.warning("self-test: %s %s: %s (%s)", one.name, one.result, one.value, one.advice)
        self._change(Event.SELF_TEST_DONE, blocked=test.verdict == "block")
        self._set_indicators()
        self.publish("self_test", test.verdict)

    async def self_test_now(self) -> SelfTest | None:
        """Run a self-test for a technician; None while one is under way."""
        if self.machine.testing:
            return None
        await self._self_test()
        return self.self_test

    def bench(self) -> Bench:
        """What the self-test looks at."""
        return Bench(
            recorder=self.recorder,
            profile=self.profile.profile,
            clock=self.clock,
            storage=self.hardware.storage,
            signer=self.identity.signer,
            trust=self.identity.trust,
            serial=self.identity.serial,
            battery=self.hardware.battery,
            indicators=self.hardware.indicators,
            has_microphone=self.hardware.microphone is not None,
            has_gps=self.hardware.gps is not None,
            lines=lambda: self.inputs.levels,
            expected_lines=frozenset(name for name, one in self.settings.inputs.items() if one.kind == "dock"),
        )


def thread_excepthook(arguments: threading.ExceptHookArgs) -> None:
    """A driver's thread died: say so in the log; the watch over frames does the rest."""
    log.error("thread %s died", arguments.thread.name if arguments.thread else "?", exc_info=arguments.exc_value)

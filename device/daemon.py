"""The camera daemon: everything put together. One asyncio loop for control, one writer thread, the drivers' threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from device.beside import Beside
from device.boot import Boot, Unfinished
from device.cameras import group_of
from device.conduct import Conduct
from device.config import DeviceSettings
from device.continuing import Continuing
from device.control import ControlServer
from device.desk import Desk
from device.examination import Examination
from device.gestures import Gestures
from device.hardware import Hardware
from device.identity import Identity
from device.input_lines import InputLines
from device.part import Part
from device.parts import parts_of
from device.peers import Peers
from device.profile import AcceptedProfile
from device.selftest import Check
from device.service import notify
from device.signals import Signals, reminders_s
from device.socket_users import uids
from device.sources import Sources
from device.states import Event, Limits, Machine, Move, State
from device.timekeeping import ClockWatch, Step
from device.triggers import Start
from device.writer import Writer
from evidence.handover import Notice
from evidence.statements import moment_ns

log = logging.getLogger("firsthand.device")
P = TypeVar("P", bound=Part)

TICK_S: Final = 0.1
DRAIN_S: Final = 10.0
CLOSE_AGAIN_NS: Final = 5_000_000_000


class Daemon:
    """One camera. `run` returns when it was asked to shut down."""

    def __init__(
        self,
        settings: DeviceSettings,
        identity: Identity,
        profile: AcceptedProfile,
        hardware: Hardware,
        *,
        beside: type[Beside] = Beside,
    ) -> None:
        """`beside` makes what does work for which nobody waits."""
        self.beside = beside
        self.settings = settings
        self.identity = identity
        self.profile = profile
        self.hardware = hardware
        self.clock = hardware.clock
        self.conduct = Conduct(self)
        self.gestures = Gestures(self)
        self.examination = Examination(self)
        self.power_on_ns = self.clock.boottime_ns()
        policy = profile.profile
        second_ns = 10**9
        self.machine = Machine(
            Limits(
                policy.confirm_stop_s * second_ns, policy.stop_reason_s * second_ns, policy.post_event_s * second_ns
            ),
            bars_triggers=not policy.triggers_when_out_of_service,
        )
        self.writer = Writer(
            (settings.queue_mib + policy.ring_mib) * 2**20,  # a whole ring must fit at a trigger
            make_room=lambda reserve: self.desk.receipts.make_room(use_reserve=reserve),
            on_trouble=self.conduct.on_storage,
        )
        self.boot = Boot(settings, identity, profile, hardware, self.writer)
        self.continuing = Continuing(self)
        self.recorder = group_of(self)
        self.desk = Desk(self)
        self.control = ControlServer(
            Path(settings.socket),
            self.desk.answer,
            uids(settings.peer_uids, settings.peer_users),
            uids(settings.trigger_uids, settings.trigger_users),
        )
        self.inputs = InputLines(settings.inputs, policy, self.clock, self.gestures.act)
        self.sources = Sources(hardware, self.recorder, self.fault, self.boot.log_clock, self.conduct.hear)
        self.signals = Signals(hardware.indicators, self.fault, self.clock.boottime_ns, reminders_s(policy))
        self._clock_watch = ClockWatch(self.clock)
        self.unfinished: Unfinished | None = None
        """What a crash before this start left open; None before `run`."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self.exit_code = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._close_again_ns = 0
        self.parts: tuple[Part, ...] = parts_of(self)
        self._hooked: dict[str, list[Part]] = {}
        self.boot.on_logged = self._logged
        self._by_kind: dict[type[Part], Part] = {type(one): one for one in self.parts}

    # --- life ---------------------------------------------------------------------------------------------------

    def shut_down(self, exit_code: int = 0) -> None:
        """Ask `run` to end, and the program with that code. Safe from signal handlers of the loop."""
        self.exit_code = exit_code or self.exit_code
        self._stopping.set()

    async def run(self) -> None:
        """Boot, work, and shut down in order. Recording is possible as soon as the first key frame is in the ring."""
        self._loop = asyncio.get_running_loop()
        self.unfinished = unfinished = self.boot.begin()
        self.writer.start()
        self.signals.show(self.machine.state)
        self.sources.start()
        self.sources.start_switches(lambda edge: self.on_loop(self.inputs.edge, edge))
        self.boot.log_boot(self.hardware.missing)
        if unfinished.in_progress is not None:
            self.recorder.goes_on_from(unfinished.by_channel, unfinished.incident)
            self.conduct.resume(unfinished)
        self.spawn(self._recover(unfinished))
        await self._start_control()
        self._each("begin")
        self.spawn(self.examination.run())
        notify("READY=1")
        try:
            await self._tick_until_stopped()
        finally:
            await self._finish()

    async def _recover(self, unfinished: Unfinished) -> None:
        self.signals.condition("recovering", bool(unfinished.recordings))
        try:
            await self.conduct.recover(unfinished)
        finally:
            self.signals.condition("recovering", False)

    async def _start_control(self) -> None:
        """Without its socket the camera cannot be docked, but it records (invariant 1)."""
        try:
            await self.control.start()
        except OSError as error:
            self.fault("socket", f"{self.settings.socket}: {error.strerror or error}: check the path and its owner")

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside everything else; it is cancelled at the end."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick_until_stopped(self) -> None:
        ticks = 0
        while not self._stopping.is_set():
            self.recorder.tick(self.clock.boottime_ns())
            self.conduct.tick(self.clock.boottime_ns())
            if ticks % 10 == 0:
                self._each_second()
            ticks += 1
            await asyncio.sleep(TICK_S)  # a stop waits for it; to be woken by one would cost as much as the tick itself

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
        self.conduct.each_second(now_ns)
        self._each("each_second", now_ns)
        if self.writer.alive:
            notify("WATCHDOG=1")

    async def _finish(self) -> None:
        """Close what is open, in order: recording, log, sockets, drivers."""
        notify("STOPPING=1")
        self.change(Event.SHUTDOWN)
        self._each("end")
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.sources.stop)
        # What is closed tells the log: that must have happened before the log's own end is queued.
        await asyncio.to_thread(self.writer.drain, DRAIN_S)
        self.log("shutdown")
        self.boot.close_log("shutdown")
        await asyncio.to_thread(self.writer.stop)
        await asyncio.to_thread(self.desk.receipts.save)
        await self.control.stop()
        self.signals.stop()

    def on_loop(self, call: Any, *arguments: Any) -> None:
        """Run something on the loop, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- parts --------------------------------------------------------------------------------------------------------

    @property
    def peers(self) -> Peers:
        return self.part(Peers)

    def part(self, kind: type[P]) -> P:
        """The part of that class. Raises KeyError if this camera has none."""
        found = self._by_kind[kind]
        assert isinstance(found, kind)
        return found

    def _each(self, hook: str, *arguments: Any) -> list[Any]:
        """Call a hook of each part; one that fails is a fault of its own and keeps nobody from recording."""
        answers: list[Any] = []
        for part in self._with_hook(hook):
            try:
                answers.append(getattr(part, hook)(*arguments))
            except Exception as error:
                log.exception("%s of %s failed", hook, part.name)
                if hook != "logged":
                    self.fault(part.name, f"{hook}: {type(error).__name__}: {error}")
        return answers

    def _with_hook(self, hook: str) -> list[Part]:
        """The parts that have a hook of that name of their own: most have few, and some hooks come every second."""
        if hook not in self._hooked:
            own = getattr(Part, hook)
            self._hooked[hook] = [one for one in self.parts if getattr(getattr(one, hook), "__func__", None) is not own]
        return self._hooked[hook]

    def gather(self, hook: str) -> dict[str, Any]:
        """What all parts add to a recording's `opening` or `closing` metadata."""
        return {name: value for answer in self._each(hook) for name, value in answer.items()}

    def checks(self) -> list[Check]:
        """The self-test checks of all parts."""
        return [check for answer in self._each("checks") for check in answer]

    def log(self, event: str, **fields: Any) -> None:
        """Queue one entry of the signed device log. From any thread."""
        self.boot.log(event, **fields)

    def trigger(self, start: Start) -> None:
        """Begin a recording, or name one more trigger in the running one. Loop only."""
        self.conduct.trigger(start)

    @property
    def degraded(self) -> bool:
        """The last self-test failed something, or a part could not be started."""
        test = self.examination.last
        return bool(self.hardware.missing) or (test is not None and test.verdict == "block")

    # --- hardware -------------------------------------------------------------------------------------------------

    def _logged(self, event: str, fields: Mapping[str, Any]) -> None:
        self._each("logged", event, fields)

    def fault(self, part: str, text: str) -> None:
        """A driver's fault: logged and signed, from any thread. Recording goes on."""
        log.warning("%s: %s", part, text)
        self.log("fault", word=part, details={"text": text[:500]})
        self.on_loop(self.publish, "fault", part)

    def _clock_stepped(self, step: Step) -> None:
        log.warning("the clock: %s, from %s to %s", step.cause, step.before.utc.earliest, step.after.utc.earliest)
        self.boot.log_clock(step)
        self.recorder.clock_step(step.before, step.after, step.cause)
        moved_ns = moment_ns(step.after.utc.earliest) - moment_ns(step.before.utc.earliest)
        passed_ns = step.after.mono_ns - step.before.mono_ns
        self.gestures.note(step.after.mono_ns, "clock_step_s", (moved_ns - passed_ns) // 10**9)
        self.publish("clock", step.cause)

    # --- state --------------------------------------------------------------------------------------------------------

    def change(self, event: Event, *, blocked: bool | None = None) -> None:
        """Something happened to the camera that no trigger or gesture brought about."""
        self.conduct.happen(event, blocked=blocked)

    def moved(self, move: Move) -> None:
        """The state machine has moved: say it everywhere."""
        self.log("state", word=move.after.value)
        self.signals.show(move.after)
        self.signals.condition("confirm_stop", move.after is State.CONFIRMING_STOP)
        self.signals.condition("stating_reason", move.after is State.STATING_REASON)
        self._each("state_changed", move.after)
        self.gestures.moved(move.after)
        self.publish("state", move.after.value)

    def publish(self, event: str, word: str | None, recording: str | None = None, number: int | None = None) -> None:
        self.control.publish(
            Notice(event=event, mono_ns=self.clock.boottime_ns(), word=word, recording=recording, number=number)
        )

"""What gestures and lines mean to this camera in its present state: from `device.triggers` intents to events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from device import indicators as patterns
from device.categories import Categories
from device.privacy import Privacy
from device.states import Event, State
from device.triggers import (
    DockChanged,
    FunctionDouble,
    FunctionHeld,
    FunctionPress,
    FunctionReleased,
    Intent,
    LineChanged,
    LineFault,
    Press,
    Start,
    Stop,
)

if TYPE_CHECKING:
    from device.daemon import Daemon

MAX_RECORDING_TIMELINE: Final = 20_000
SLEEP_CONFIRM_NS: Final = 3_000_000_000


class Gestures:
    """The officer's hands and the vehicle's lines. Loop only."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._test_owed = False
        """Undocked in mid-recording: the self-test of the checkout is still to come."""
        self._sleep_asked_ns: int | None = None

    def act(self, intent: Intent) -> None:
        """Do what a gesture or a line means."""
        conduct = self._daemon.conduct
        if isinstance(intent, Start):
            conduct.trigger(intent)
        elif isinstance(intent, Stop):
            conduct.ask_to_stop(intent.at_ns)
        elif isinstance(intent, Press):
            self._press(intent)
        elif isinstance(intent, DockChanged):
            self._dock(intent)
        elif isinstance(intent, LineChanged):
            self._line_changed(intent)
        elif isinstance(intent, LineFault):
            self._daemon.log("line_fault", word=intent.fault, details={"line": intent.line, "since_ns": intent.at_ns})
            self._daemon.publish("line_fault", intent.line)
            configured = self._daemon.settings.inputs.get(intent.line)
            if intent.fault == "stuck" and configured is not None and configured.kind == "function_button":
                self._daemon.part(Privacy).unmute()  # nobody mutes for so long: the field's stuck microphone button
        else:
            self._function(intent)

    def _press(self, press: Press) -> None:
        if self._daemon.machine.state is State.CONFIRMING_STOP:
            self._daemon.conduct.confirm_stop(press.at_ns)
        else:
            self._daemon.conduct.mark("record_button")

    def _function(self, intent: FunctionPress | FunctionDouble | FunctionHeld | FunctionReleased) -> None:
        machine, privacy = self._daemon.machine, self._daemon.part(Privacy)
        if isinstance(intent, FunctionDouble) and self._turns_a_wheel:
            for _ in range(2):
                self._function(FunctionPress(intent.at_ns))
        elif isinstance(intent, FunctionDouble):
            privacy.stealth(not machine.flags["stealth"], "function_button")
        elif isinstance(intent, FunctionReleased):
            privacy.released(intent.at_ns)
        elif isinstance(intent, FunctionHeld):
            if machine.recording:
                privacy.held(intent.at_ns)
            elif machine.state is State.SLEEP:
                self._daemon.conduct.happen(Event.WAKE_ASKED)
            else:
                self._ask_for_sleep(intent.at_ns)
        elif machine.state is State.STATING_REASON:
            self._daemon.conduct.step_reason(self._daemon.clock.boottime_ns())
        elif machine.recording:
            self._daemon.conduct.mark("function_button")
        elif self._sleep_asked_ns is not None and intent.at_ns - self._sleep_asked_ns <= SLEEP_CONFIRM_NS:
            self._sleep_asked_ns = None
            self._daemon.conduct.happen(Event.SLEEP_ASKED)
        else:
            self._daemon.part(Categories).press()

    @property
    def _turns_a_wheel(self) -> bool:
        """Whether presses count now, so that two quick ones are two (R26, R31)."""
        machine, wheel = self._daemon.machine, self._daemon.part(Categories).wheel
        return machine.state is State.STATING_REASON or (wheel is not None and not machine.recording)

    def _ask_for_sleep(self, at_ns: int) -> None:
        """Privacy needs a hold and a press: nobody falls asleep by leaning on a button (R24)."""
        allowed = self._daemon.profile.profile.sleep_allowed
        if allowed and self._daemon.machine.state in (State.READY, State.OUT_OF_SERVICE):
            self._sleep_asked_ns = at_ns
            self._daemon.signals.play(patterns.CONFIRM)
        else:
            self._daemon.signals.play(patterns.REFUSED)

    def note(self, at_ns: int, name: str, value: int) -> None:
        """Put a row into the input timeline: of the ring's own time, and of the recording in progress."""
        self._daemon.inputs.note(at_ns, name, value)
        self._note_recording(at_ns, name, value)

    def _note_recording(self, at_ns: int, name: str, value: int) -> None:
        for session in self._daemon.recorder.sessions:  # one of each camera of a vehicle
            if len(session.timeline) < MAX_RECORDING_TIMELINE:
                session.timeline.append([at_ns, name, value])

    def _line_changed(self, change: LineChanged) -> None:
        self._note_recording(change.at_ns, change.line, int(change.active))
        if change.kind == "stealth_switch":
            self._daemon.part(Privacy).stealth(change.active, change.line)

    def moved(self, state: State) -> None:
        """A camera that was taken out of the dock while recording is tested as soon as the recording is over (R8)."""
        if self._test_owed and state in (State.READY, State.OUT_OF_SERVICE):
            self._test_owed = False
            self._daemon.spawn(self._daemon.examination.run())

    def _dock(self, change: DockChanged) -> None:
        daemon = self._daemon
        daemon.conduct.happen(Event.DOCKED if change.docked else Event.UNDOCKED)
        daemon.log("docked" if change.docked else "undocked")
        if change.docked:
            daemon.boot.close_log("docked")
        elif daemon.recorder.session is None:
            daemon.spawn(daemon.examination.run())
        self._test_owed = not change.docked and daemon.recorder.session is not None
        daemon.publish("docked" if change.docked else "undocked", None)

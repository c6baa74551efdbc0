"""A camera on paper: the daemon's real conduct, gestures and parts, a clock that the test turns, and no hardware."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from device.categories import Categories
from device.conduct import Conduct
from device.config import Input
from device.gestures import Gestures
from device.indicators import CONDITIONS, Pattern
from device.input_lines import line_rule
from device.part import Part
from device.pauses import Pauses
from device.policy import Profile
from device.privacy import Privacy
from device.session import is_known, trigger_facts
from device.states import Event, Limits, Machine, Move, State
from device.triggers import Inputs, Intent, LineChanged, Start, standing
from hal.switches import Edge

MS = 1_000_000
SECOND = 1000 * MS
INPUTS: dict[str, Input] = {
    "record_button": Input(kind="record_button"),
    "emergency": Input(kind="emergency_button"),
    "function": Input(kind="function_button"),
    "lightbar": Input(kind="light_bar"),
    "pursuit": Input(kind="pursuit"),
    "door": Input(kind="door", category="prisoner_transport"),
    "peer": Input(kind="peer", source="message"),
    "dock": Input(kind="dock"),
    "dark": Input(kind="stealth_switch"),
}


@dataclass
class PaperSession:
    file: SimpleNamespace
    started_ns: int
    triggers: list[dict[str, Any]]
    opening: dict[str, Any]
    incident: str
    timeline: list[list[Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    reason: str | None = None
    earlier: tuple[tuple[int, str], ...] = ()


class PaperRecorder:
    """Keeps what a recorder would have been told."""

    def __init__(self) -> None:
        self.session: PaperSession | None = None
        self.recordings: list[PaperSession] = []
        self.ring = True
        self.mutes: list[tuple[str, int]] = []
        self.fails = 0
        """So many of the next starts fail, as an error of the program would."""
        self.added = 0
        """Triggers that the running recording was told of."""

    def start(
        self, start: Start, opening: Mapping[str, Any], *, resumes: int | None, incident: str | None
    ) -> PaperSession:
        assert self.session is None, "a recording runs already"
        if self.fails:
            self.fails -= 1
            raise RuntimeError("on purpose")
        number = len(self.recordings) + 1
        stem = f"PAPER-{number:06d}"
        file = SimpleNamespace(number=number, stem=stem)
        self.session = PaperSession(file, start.at_ns, [trigger_facts(start)], dict(opening), incident or stem)
        self.recordings.append(self.session)
        return self.session

    def add_trigger(self, start: Start) -> bool:
        assert self.session is not None
        self.added += 1
        if is_known(start, self.session.triggers):
            return False
        self.session.triggers.append(trigger_facts(start))
        return True

    def event(self, event: str, word: str | None, details: Any) -> None:
        if self.session is not None:
            self.session.events.append(event)

    def stop(self, reason: str, now_ns: int) -> PaperSession | None:
        session, self.session = self.session, None
        assert session is not None
        session.reason = reason
        return session

    def buffer_off(self) -> None:
        self.ring = False

    def buffer_on(self) -> None:
        self.ring = True

    def mute(self, at_ns: int) -> None:
        self.mutes.append(("mute", at_ns))

    def unmute(self, at_ns: int) -> None:
        self.mutes.append(("unmute", at_ns))

    def drop_ring(self) -> None:
        pass

    @property
    def sessions(self) -> list[PaperSession]:
        return [self.session] if self.session is not None else []

    def same_incident(self, number: int) -> list[tuple[int, str]]:
        return [(one.file.number, one.file.stem) for one in self.recordings if one.file.number == number]


class PaperSignals:
    def __init__(self) -> None:
        self.played: list[Pattern] = []
        self.on: set[str] = set()
        self.stealth = False

    def play(self, pattern: Pattern) -> None:
        self.played.append(pattern)

    def show(self, state: State) -> None:
        pass

    def condition(self, name: str, on: bool, *, every_s: int | None = None) -> None:
        assert name in CONDITIONS
        (self.on.add if on else self.on.discard)(name)


@dataclass
class PaperInputs:
    """The input lines as the daemon's parts ask for them."""

    lines: Inputs
    timeline: list[list[Any]] = field(default_factory=list)

    @property
    def levels(self) -> dict[str, bool]:
        return self.lines.levels

    def pressing(self) -> bool:
        return self.lines.pressing

    def note(self, *row: Any) -> None:
        """The ring's own timeline is another test's business."""


class PaperCamera:
    """The parts of `device.daemon.Daemon` that conduct and gestures use."""

    def __init__(self, **policy: Any) -> None:
        values = {"v": 1, "name": "paper", "version": 1, **policy}
        self.profile = SimpleNamespace(profile=Profile(**values))
        p = self.profile.profile
        self.now_ns = 100 * SECOND
        self.clock = SimpleNamespace(boottime_ns=lambda: self.now_ns)
        limits = Limits(p.confirm_stop_s * SECOND, p.stop_reason_s * SECOND, p.post_event_s * SECOND)
        self.machine = Machine(limits, bars_triggers=not p.triggers_when_out_of_service)
        self.settings = SimpleNamespace(inputs=INPUTS)
        self.hardware = SimpleNamespace(microphone=None, missing=[])
        self.recorder = PaperRecorder()
        self.signals = PaperSignals()
        self.room = True
        self.desk = SimpleNamespace(receipts=SimpleNamespace(room_to_start=lambda: self.room))
        self.urgent: list[str] = []
        """Stems of recordings that became critical later."""
        appended = SimpleNamespace(urgent=self.urgent.append)
        self.boot = SimpleNamespace(
            close_log=lambda reason: None, spool=SimpleNamespace(find=lambda name: None, appended=appended)
        )
        self.examination = SimpleNamespace(last=None, id=None, run=self._examine)
        self.examined = 0
        """Self-tests that were asked for."""
        self.announced: list[tuple[str, str]] = []
        """Triggers and incidents that the peers were told of."""
        self.peers = SimpleNamespace(announce=lambda start, incident: self.announced.append((start.trigger, incident)))
        self.power_on_ns = 0
        self.degraded = False
        self.logged: list[tuple[str, str | None, int | None]] = []
        self.notices: list[tuple[str, str | None]] = []
        self.starts = 0
        """Starts that were handed to the conduct."""
        self.conduct = Conduct(self)  # type: ignore[arg-type]
        handed, self.conduct.trigger = self.conduct.trigger, self._count  # type: ignore[method-assign]
        self._hand_on = handed
        self.gestures = Gestures(self)  # type: ignore[arg-type]
        self.parts = [kind(self) for kind in (Privacy, Pauses, Categories)]  # type: ignore[arg-type]
        rules = {name: line_rule(one, p) for name, one in INPUTS.items() if one.source == "line"}
        self.lines = Inputs(rules, p.double_press_ms * MS, p.hold_to_stop_ms * MS)
        self.inputs = PaperInputs(self.lines)
        self.change(Event.SELF_TEST_BEGAN)
        self.change(Event.SELF_TEST_DONE)

    def _examine(self) -> Coroutine[Any, Any, None]:
        """The self-test itself is another test's business."""
        self.examined += 1

        async def nothing() -> None: ...

        return nothing()

    # --- what conduct and parts call ----------------------------------------------------------------------------------

    def part(self, kind: type[Part]) -> Any:
        return next(one for one in self.parts if type(one) is kind)

    def gather(self, hook: str) -> dict[str, Any]:
        return {name: value for part in self.parts for name, value in getattr(part, hook)().items()}

    def log(self, event: str, *, word: str | None = None, recording: int | None = None, **more: Any) -> None:
        self.logged.append((event, word, recording))

    def publish(self, event: str, word: str | None, recording: str | None = None, number: int | None = None) -> None:
        self.notices.append((event, word))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        work.close()

    def change(self, event: Event, *, blocked: bool | None = None) -> None:
        self.conduct.happen(event, blocked=blocked)

    def moved(self, move: Move) -> None:
        self.log("state", word=move.after.value)
        for part in self.parts:
            part.state_changed(move.after)
        self.gestures.moved(move.after)

    # --- what a test does ---------------------------------------------------------------------------------------------

    def _act(self, intents: list[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, LineChanged) and intent.kind == "trigger":
                continue
            self.gestures.act(intent)

    def _count(self, start: Start) -> None:
        self.starts += 1
        self._hand_on(start)

    def wait(self, seconds: float) -> None:
        """Let time pass in ticks of 100 ms."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 100 * MS)
            self._act(self.lines.tick(self.now_ns))
            self.conduct.tick(self.now_ns)
            if self.now_ns // SECOND != (self.now_ns - 100 * MS) // SECOND:
                self.conduct.each_second(self.now_ns)
                for part in self.parts:
                    part.each_second(self.now_ns)

    def line(self, name: str, *, active: bool) -> None:
        self._act(self.lines.edge(Edge(name, active, self.now_ns)))

    def press(self, name: str = "record_button", seconds: float = 0.1) -> None:
        self.line(name, active=True)
        self.wait(seconds)
        self.line(name, active=False)
        self.wait(0.1)

    def double_press(self, name: str = "record_button") -> None:
        self.press(name)
        self.press(name)
        self.wait(1)

    def one_press(self, name: str = "record_button") -> None:
        self.press(name)
        self.wait(1)

    def trigger(self, name: str) -> None:
        """A vehicle's line goes on and stays."""
        self.line(name, active=True)
        self.wait(0.5)

    def message(self, name: str, incident: str | None = None) -> None:
        one = INPUTS[name]
        critical, wakes = standing(one)
        self.conduct.trigger(Start(name, critical, self.now_ns, False, wakes, one.kind, incident, "message"))

    def words(self, event: str) -> list[str | None]:
        """Public words of all log entries of that kind."""
        return [word for name, word, _ in self.logged if name == event]


def recording(**policy: object) -> PaperCamera:
    """A camera that records because its officer pressed twice."""
    camera = PaperCamera(**policy)
    camera.double_press()
    assert camera.machine.state is State.RECORDING
    return camera


def stop(camera: PaperCamera) -> None:
    """Hold, and confirm."""
    camera.press(seconds=3.3)
    camera.one_press()

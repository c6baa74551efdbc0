"""The state machine of the camera, as one readable table (state x event -> state, actions). Pure.

Recording comes first (invariant 1): a button leads to RECORDING from every state that lives. What is not in the table
changes nothing. `HOME` stands for where the camera belongs when it does not record: see `Machine.home`. Muting, stealth
and low power are flags beside the state, which change no state. docs/design/states.md draws all of it (`make docs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class State(StrEnum):
    BOOT = "boot"
    SELF_TEST = "self_test"
    READY = "ready"
    """The ring is filled all the time."""
    RECORDING = "recording"
    CONFIRMING_STOP = "confirming_stop"
    """The officer asked to stop; without a second word the recording goes on."""
    STATING_REASON = "stating_reason"
    """The stop is confirmed; still recording, so that the reason can be spoken (R26)."""
    POST_EVENT = "post_event"
    """Still recording, for the profile's post-event time."""
    SLEEP = "sleep"
    """No ring: the officer's privacy (R24)."""
    DOCKED = "docked"
    UPDATING = "updating"
    OUT_OF_SERVICE = "out_of_service"
    """The self-test blocked the camera (R9)."""
    SHUTTING_DOWN = "shutting_down"
    HOME = "home"
    """Only a target: replaced by `Machine.home` at once."""


class Event(StrEnum):
    SELF_TEST_BEGAN = "self_test_began"
    SELF_TEST_DONE = "self_test_done"
    VERDICT_CHANGED = "verdict_changed"
    """An override was given or ended: another verdict without another test."""
    BUTTON = "button"
    """Record or emergency button, or the resumption after a crash: nothing may refuse it."""
    TRIGGER = "trigger"
    """An automatic trigger that does not wake a sleeping camera: light bar, peers."""
    WAKING_TRIGGER = "waking_trigger"
    """An automatic trigger that does: pursuit, weapon, crash."""
    BARRED_TRIGGER = "barred_trigger"
    """An automatic trigger that the signed policy bars on a camera that failed its self-test."""
    STOP_ASKED = "stop_asked"
    CONFIRMED = "confirmed"
    REASON_GIVEN = "reason_given"
    TIME_UP = "time_up"
    """The state's own time is over (`Limits`)."""
    END = "end"
    """What cannot go on ends, with its own reason: card full, battery empty, test clip over, false activation."""
    SLEEP_ASKED = "sleep_asked"
    WAKE_ASKED = "wake_asked"
    DOCKED = "docked"
    UNDOCKED = "undocked"
    UPDATE_BEGAN = "update_began"
    UPDATE_ENDED = "update_ended"
    SHUTDOWN = "shutdown"


class Action(StrEnum):
    BEGIN = "begin"
    """Begin a recording with all that is in the ring."""
    ADD = "add"
    """Name one more trigger in the recording."""
    SUPPRESS = "suppress"
    """Start nothing, and log that (only the signed policy and sleep do that)."""
    REFUSE = "refuse"
    """Start nothing, and log a failure to record."""
    ASK_CONFIRMATION = "ask_confirmation"
    GO_ON = "go_on"
    """Tell the officer that the recording goes on, and withdraw the stop."""
    ASK_REASON = "ask_reason"
    CLOSE = "close"
    """End the recording."""
    RING_OFF = "ring_off"
    RING_ON = "ring_on"
    ABORT_UPDATE = "abort_update"


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the table."""

    target: State
    actions: tuple[Action, ...] = ()


S, E, A = State, Event, Action
RECORDING_STATES: Final = (S.RECORDING, S.CONFIRMING_STOP, S.STATING_REASON, S.POST_EVENT)
IDLE_STATES: Final = (S.BOOT, S.SELF_TEST, S.READY, S.SLEEP, S.DOCKED, S.UPDATING, S.OUT_OF_SERVICE)
STARTS: Final = (E.BUTTON, E.TRIGGER, E.WAKING_TRIGGER)


def _rows(
    states: Iterable[State], events: Iterable[Event], target: State, *actions: Action
) -> Iterator[tuple[tuple[State, Event], Row]]:
    for state in states:
        for event in events:
            yield (state, event), Row(target, actions)


TABLE: Final[dict[tuple[State, Event], Row]] = dict(
    [
        # Starts: from every idle state, and added to what runs.
        *_rows((S.BOOT, S.SELF_TEST, S.READY, S.DOCKED, S.OUT_OF_SERVICE), STARTS, S.RECORDING, A.BEGIN),
        *_rows((S.UPDATING,), STARTS, S.RECORDING, A.ABORT_UPDATE, A.BEGIN),
        *_rows((S.SLEEP,), (E.BUTTON, E.WAKING_TRIGGER), S.RECORDING, A.RING_ON, A.BEGIN),
        *_rows((S.SLEEP,), (E.TRIGGER,), S.SLEEP, A.SUPPRESS),
        *_rows((S.RECORDING,), (*STARTS, E.BARRED_TRIGGER), S.RECORDING, A.ADD),
        # A new start while the officer is stopping withdraws the stop.
        *_rows((S.CONFIRMING_STOP, S.STATING_REASON, S.POST_EVENT), STARTS, S.RECORDING, A.ADD, A.GO_ON),
        *_rows((S.CONFIRMING_STOP, S.STATING_REASON, S.POST_EVENT), (E.BARRED_TRIGGER,), S.RECORDING, A.ADD, A.GO_ON),
        *(((state, E.BARRED_TRIGGER), Row(state, (A.SUPPRESS,))) for state in IDLE_STATES),
        *_rows((S.SHUTTING_DOWN,), (*STARTS, E.BARRED_TRIGGER), S.SHUTTING_DOWN, A.REFUSE),
        # The stop: asked, confirmed, reasoned, run out.
        *_rows((S.RECORDING,), (E.STOP_ASKED,), S.CONFIRMING_STOP, A.ASK_CONFIRMATION),
        *_rows((S.CONFIRMING_STOP,), (E.TIME_UP,), S.RECORDING, A.GO_ON),
        *_rows((S.CONFIRMING_STOP,), (E.CONFIRMED,), S.STATING_REASON, A.ASK_REASON),
        *_rows((S.STATING_REASON,), (E.REASON_GIVEN, E.TIME_UP), S.POST_EVENT),
        *_rows((S.POST_EVENT,), (E.TIME_UP,), S.HOME, A.CLOSE),
        *_rows(RECORDING_STATES, (E.END,), S.HOME, A.CLOSE),
        # Around the shift.
        *_rows((S.BOOT, S.READY, S.DOCKED, S.OUT_OF_SERVICE), (E.SELF_TEST_BEGAN,), S.SELF_TEST),
        *_rows((S.SELF_TEST,), (E.SELF_TEST_DONE,), S.HOME),
        *_rows((S.READY, S.OUT_OF_SERVICE), (E.VERDICT_CHANGED, E.DOCKED), S.HOME),
        *_rows((S.SLEEP,), (E.DOCKED,), S.HOME, A.RING_ON),
        *_rows((S.DOCKED,), (E.UNDOCKED,), S.HOME),
        *_rows((S.READY, S.OUT_OF_SERVICE), (E.SLEEP_ASKED,), S.SLEEP, A.RING_OFF),
        *_rows((S.SLEEP,), (E.WAKE_ASKED,), S.HOME, A.RING_ON),
        *_rows((S.DOCKED,), (E.UPDATE_BEGAN,), S.UPDATING),
        *_rows((S.UPDATING,), (E.UPDATE_ENDED,), S.HOME),
        *_rows((S.UPDATING,), (E.UNDOCKED,), S.HOME, A.ABORT_UPDATE),
        *_rows(IDLE_STATES, (E.SHUTDOWN,), S.SHUTTING_DOWN),
        *_rows(RECORDING_STATES, (E.SHUTDOWN,), S.SHUTTING_DOWN, A.CLOSE),
    ]
)
"""The whole behaviour. A failed part, a full queue, a dead broker or a wrong clock is no event, and stops nothing."""


FLAGS: Final = ("muted", "stealth", "low_power")
"""Beside the state, and independent of it: none of them changes what is recorded but the sound (muted)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the states last that end by themselves, in nanoseconds; 0 = passed through at once."""

    confirm_ns: int
    reason_ns: int
    post_event_ns: int

    def of(self, state: State) -> int | None:
        """The limit of a state; None for one without."""
        return {
            State.CONFIRMING_STOP: self.confirm_ns,
            State.STATING_REASON: self.reason_ns,
            State.POST_EVENT: self.post_event_ns,
        }.get(state)


@dataclass(frozen=True, slots=True)
class Move:
    """What one event did."""

    before: State
    after: State
    actions: tuple[Action, ...]


@dataclass
class Machine:
    """The present state with the facts that decide where home is."""

    limits: Limits = Limits(0, 0, 0)
    bars_triggers: bool = False
    """The policy bars automatic triggers on a camera that failed its self-test."""
    state: State = State.BOOT
    since_ns: int = 0
    """When the state was entered, CLOCK_BOOTTIME."""
    docked: bool = False
    blocked: bool = False
    """The last self-test blocked the camera."""
    testing: bool = False
    """A self-test is under way (a recording may run at the same time)."""
    flags: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(FLAGS, False))

    @property
    def home(self) -> State:
        """Where the camera belongs when it does not record."""
        if self.testing:
            return State.SELF_TEST
        if self.docked:
            return State.DOCKED
        return State.OUT_OF_SERVICE if self.blocked else State.READY

    @property
    def recording(self) -> bool:
        """Whether the state is one of a recording in progress."""
        return self.state in RECORDING_STATES

    def deadline_ns(self) -> int | None:
        """When the present state ends by itself; None if it does not."""
        limit_ns = self.limits.of(self.state)
        return None if limit_ns is None else self.since_ns + limit_ns

    def row(self, event: Event) -> Row | None:
        """What the table says to an event in the present state, the policy's bar included."""
        if event in (Event.TRIGGER, Event.WAKING_TRIGGER) and self.bars_triggers and self.blocked:
            event = Event.BARRED_TRIGGER
        return TABLE.get((self.state, event))

    def handle(self, event: Event, now_ns: int = 0, *, blocked: bool | None = None) -> Move | None:
        """Take one event; None if the table has nothing to say. `blocked` goes with a verdict."""
        self._note(event, blocked=blocked)
        before, row = self.state, self.row(event)
        if row is None:
            return None
        actions = list(row.actions)
        self._enter(row.target, now_ns)
        while (passing := self._pass_through()) is not None:
            actions = [one for one in actions if one not in (Action.ASK_CONFIRMATION, Action.ASK_REASON)]
            actions += passing.actions
            self._enter(passing.target, now_ns)
        return Move(before, self.state, tuple(actions))

    def _note(self, event: Event, *, blocked: bool | None) -> None:
        if event is Event.DOCKED:
            self.docked = True
        elif event is Event.UNDOCKED:
            self.docked = False
        elif event is Event.SELF_TEST_BEGAN:
            self.testing = True
        elif event is Event.SELF_TEST_DONE:
            self.testing = False
            self.blocked = bool(blocked)
        elif event is Event.VERDICT_CHANGED:
            self.blocked = bool(blocked)

    def _enter(self, target: State, now_ns: int) -> None:
        state = self.home if target is State.HOME else target
        if state is not self.state:
            self.state, self.since_ns = state, now_ns

    def _pass_through(self) -> Row | None:
        """The way on out of a state whose limit is 0: no confirmation is asked, no reason, no post-event."""
        if self.limits.of(self.state) != 0:
            return None
        return TABLE[self.state, Event.CONFIRMED if self.state is State.CONFIRMING_STOP else Event.TIME_UP]

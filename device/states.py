"""The state machine of the camera, as one readable table (state x event -> state). Pure.

Recording comes first: `trigger` leads to RECORDING from every state that lives (invariant 1). `HOME` stands for where
the camera belongs when it does not record: see `Machine.home`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    BOOT = "boot"
    SELF_TEST = "self_test"
    READY = "ready"
    RECORDING = "recording"
    DOCKED = "docked"
    OUT_OF_SERVICE = "out_of_service"
    SHUTTING_DOWN = "shutting_down"
    HOME = "home"
    """Only a target: replaced by `Machine.home` at once."""


class Event(StrEnum):
    SELF_TEST_BEGAN = "self_test_began"
    SELF_TEST_DONE = "self_test_done"
    TRIGGER = "trigger"
    STOPPED = "stopped"
    DOCKED = "docked"
    UNDOCKED = "undocked"
    SHUTDOWN = "shutdown"


S, E = State, Event
TABLE: Final[dict[tuple[State, Event], State]] = {
    (S.BOOT, E.SELF_TEST_BEGAN): S.SELF_TEST,
    (S.BOOT, E.TRIGGER): S.RECORDING,
    (S.BOOT, E.SHUTDOWN): S.SHUTTING_DOWN,
    (S.SELF_TEST, E.SELF_TEST_DONE): S.HOME,
    (S.SELF_TEST, E.TRIGGER): S.RECORDING,
    (S.SELF_TEST, E.SHUTDOWN): S.SHUTTING_DOWN,
    (S.READY, E.SELF_TEST_BEGAN): S.SELF_TEST,
    (S.READY, E.TRIGGER): S.RECORDING,
    (S.READY, E.DOCKED): S.HOME,
    (S.READY, E.SHUTDOWN): S.SHUTTING_DOWN,
    (S.RECORDING, E.STOPPED): S.HOME,
    (S.RECORDING, E.SHUTDOWN): S.SHUTTING_DOWN,
    (S.DOCKED, E.SELF_TEST_BEGAN): S.SELF_TEST,
    (S.DOCKED, E.TRIGGER): S.RECORDING,
    (S.DOCKED, E.UNDOCKED): S.HOME,
    (S.DOCKED, E.SHUTDOWN): S.SHUTTING_DOWN,
    (S.OUT_OF_SERVICE, E.SELF_TEST_BEGAN): S.SELF_TEST,
    (S.OUT_OF_SERVICE, E.TRIGGER): S.RECORDING,
    (S.OUT_OF_SERVICE, E.DOCKED): S.HOME,
    (S.OUT_OF_SERVICE, E.SHUTDOWN): S.SHUTTING_DOWN,
}
"""What is not in the table changes nothing: a second trigger while recording, docking while recording, and so on."""


@dataclass
class Machine:
    """The present state with the facts that decide where home is."""

    state: State = State.BOOT
    docked: bool = False
    blocked: bool = False
    """The last self-test blocked the camera."""
    testing: bool = False
    """A self-test is under way (a recording may run at the same time)."""

    @property
    def home(self) -> State:
        """Where the camera belongs when it does not record."""
        if self.testing:
            return State.SELF_TEST
        if self.docked:
            return State.DOCKED
        return State.OUT_OF_SERVICE if self.blocked else State.READY

    def handle(self, event: Event, *, blocked: bool | None = None) -> State | None:
        """The new state, or None if the state stays. `blocked` goes with SELF_TEST_DONE."""
        if event is Event.DOCKED:
            self.docked = True
        elif event is Event.UNDOCKED:
            self.docked = False
        elif event is Event.SELF_TEST_BEGAN:
            self.testing = True
        elif event is Event.SELF_TEST_DONE:
            self.testing = False
            self.blocked = bool(blocked)
        target = TABLE.get((self.state, event), self.state)
        if target is State.HOME:
            target = self.home
        if target is self.state:
            return None
        self.state = target
        return target

"""The camera's state machine as a drawing and as words, both made from the table that the camera itself runs on.

Where each box stands is chosen here; which there are, and what leads where, comes from `device.states`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from device.indicators import CATALOG
from device.states import IDLE_STATES, RECORDING_STATES, STARTS, TABLE, Event, State

WIDTH: Final = 600
HEIGHT: Final = 338
BOX: Final = (122, 38)
PLACES: Final[dict[State, tuple[int, int]]] = {
    State.BOOT: (75, 54), State.SELF_TEST: (225, 54), State.READY: (375, 54), State.SLEEP: (525, 54),
    State.SHUTTING_DOWN: (75, 142), State.OUT_OF_SERVICE: (225, 142), State.DOCKED: (375, 142),
    State.UPDATING: (525, 142),
    State.RECORDING: (75, 280), State.CONFIRMING_STOP: (225, 280), State.STATING_REASON: (375, 280),
    State.POST_EVENT: (525, 280),
}  # fmt: skip
"""Middle of each box."""
_WORDS: Final[dict[Event, str]] = {
    Event.BUTTON: "record or emergency button",
    Event.TRIGGER: "light bar, siren, door, a colleague's camera …",
    Event.WAKING_TRIGGER: "pursuit, weapon, crash",
    Event.STOP_ASKED: "hold the record button",
    Event.CONFIRMED: "one more press",
    Event.REASON_GIVEN: "a reason is given",
    Event.TIME_UP: "its time is up",
    Event.END: "the card is full, or the battery empty",
    Event.SLEEP_ASKED: "hold the function button, then press it",
    Event.WAKE_ASKED: "hold the function button",
    Event.DOCKED: "put into the dock",
    Event.UNDOCKED: "taken out of the dock",
}
"""What a person sees of an event; the others are the camera's own."""
_DOES: Final = {
    "begin": "a recording begins, with what is in the ring", "add": "one more trigger is noted in the recording",
    "suppress": "nothing starts, and that is logged", "close": "the recording is closed",
    "go_on": "the recording goes on", "ask_confirmation": "it asks for one more press",
    "ask_reason": "it listens for the reason", "ring_off": "the ring is switched off",
    "ring_on": "the ring is switched on", "refuse": "nothing starts, and that is logged as a failure",
    "abort_update": "the update is broken off",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """One state."""

    state: str
    name: str
    left: int
    top: int
    records: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way from a state to another."""

    key: str
    path: str


def boxes() -> list[Box]:
    """All states; raises KeyError for one that has no place yet."""
    return [
        Box(
            state.value,
            state.value.replace("_", " "),
            PLACES[state][0] - BOX[0] // 2,
            PLACES[state][1] - BOX[1] // 2,
            state in RECORDING_STATES,
        )
        for state in State
        if state is not State.HOME
    ]


def arrows() -> list[Arrow]:
    """Every way inside the two groups; the ways between them are one arrow each, drawn by the page."""
    ways = {
        (state, row.target): None
        for (state, event), row in TABLE.items()
        if row.target not in (state, State.HOME) and event is not Event.SHUTDOWN
        if not (row.target is State.RECORDING and event in STARTS)
    }
    ways |= {
        (state, State.READY): None
        for (state, event), row in TABLE.items()
        if row.target is State.HOME and state in IDLE_STATES and state not in (State.READY, State.UPDATING)
        if event in (Event.SELF_TEST_DONE, Event.WAKE_ASKED, Event.UNDOCKED, Event.VERDICT_CHANGED)
    }
    ways |= {(State.READY, State.DOCKED): None, (State.UPDATING, State.DOCKED): None}
    return [Arrow(f"{one.value}-{other.value}", _path(one, other)) for one, other in ways]


def _path(one: State, other: State) -> str:
    """From border to border; opposite ways side by side, long ways around what lies between."""
    (x0, y0), (x1, y1) = PLACES[one], PLACES[other]
    half_w, half_h = BOX[0] // 2, BOX[1] // 2
    side = 7 if (x1, y1) > (x0, y0) else -7
    if y0 == y1:
        step = 1 if x1 > x0 else -1
        if abs(x1 - x0) > 160:
            bend = y0 + (half_h + 22) * (1 if y0 > 200 else -1)
            edge = y0 + half_h * (1 if y0 > 200 else -1)
            return f"M{x0 - 20 * step} {edge}C{x0 - 20 * step} {bend} {x1 + 20 * step} {bend} {x1 + 20 * step} {edge}"
        return f"M{x0 + half_w * step} {y0 - side}H{x1 - half_w * step - 2 * step}"
    step = 1 if y1 > y0 else -1
    if x0 == x1:
        return f"M{x0 + side} {y0 + half_h * step}V{y1 - half_h * step - 2 * step}"
    across = 1 if x1 > x0 else -1
    start_x, end_x = x0 + across * 36, x1 - across * 36
    return f"M{start_x} {y0 + half_h * step}L{end_x} {y1 - half_h * step - 2 * step}"


def words() -> dict[str, dict[str, Any]]:
    """Of each state: what it means to the officer, and what can happen in it."""
    found: dict[str, dict[str, Any]] = {}
    for state in State:
        if state is State.HOME:
            continue
        pattern = CATALOG.states.get(state.value)
        found[state.value] = {
            "means": pattern.means if pattern is not None else state.value.replace("_", " "),
            "ways": [
                {
                    "when": said,
                    "then": "" if row.target is state else _target(row.target),
                    "does": ", ".join(_DOES.get(one.value, one.value.replace("_", " ")) for one in row.actions),
                }
                for event, said in _WORDS.items()
                if (row := TABLE.get((state, event))) is not None
            ],
        }
    return found


def _target(state: State) -> str:
    return "ready, or docked" if state is State.HOME else state.value.replace("_", " ")

"""The words of a scenario: what can be done, and what may be expected of the camera. Pure.

Words are plain English that a police trainer writes; an unknown one is refused with the nearest known word.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from device.policy import CHECKS
from device.states import State
from device.stopping import REASONS
from simulator.movement import Pattern

if TYPE_CHECKING:
    from simulator.claims import Claim

STATES: Final = (
    "start", "self-test done", "ring full", "recording", "stopped", "docked", "undocked", "offloaded",
)  # fmt: skip
"""States of the camera that a step can wait for."""
LINES: Final = {
    "light bar": "lightbar",
    "siren": "siren",
    "pursuit": "pursuit",
    "door": "door",
    "gun rack": "gun_rack",
    "brake": "brake",
    "ignition": "ignition",
    "stealth slide": "stealth_slide",
}
"""Lines of the board that are switched on and off, by the word that a scenario has for them."""
LOOKS: Final = ("normal", "black", "covered", "frozen", "defocused", "upside down")
"""What the camera sees."""
MOVES: Final[dict[str, tuple[Pattern, float | None]]] = {
    "walk": ("walk", None),
    "run": ("run", None),
    "struggle": ("struggle", 20.0),
    "ride along": ("drive", None),
    "stand still": ("rest", None),
    "fall": ("fall", None),
    "crash": ("crash", 3.0),
    "camera lies": ("lies", None),
    "camera hangs": ("hangs", None),
}
"""How the camera is moved: the pattern of `simulator.movement`, and for how many seconds (None: until the next one)."""
ACTIONS: Final = (
    "nothing", "press record button twice", "press record button once", "hold record button",
    "press emergency button", "press function button once", "press function button twice", "hold function button",
    "release function button", *(f"{line} {way}" for line in LINES for way in ("on", "off")), "weapon drawn",
    "officer signs in", "officer signs out",
    "peer starts", "officer speaks", "dock", "undock", "lose gps", "find gps", "clock unset", "clock set",
    "power cut",
    *(f"camera {look}" for look in LOOKS), *MOVES,
)  # fmt: skip
"""What can be done, besides what takes a number (`AMOUNTS`) or a reason."""
TRIGGERS: Final = {
    "press record button twice": "record_button",
    "press emergency button": "emergency",
    "light bar on": "lightbar",
    "siren on": "siren",
    "pursuit on": "pursuit",
    "door on": "door",
    "gun rack on": "gun_rack",
    "weapon drawn": "weapon",
    "peer starts": "peer",
    "crash": "crash",
}
"""The trigger that an action should leave in the evidence."""
NUMBER: Final = r"([0-9]{1,5}(?:\.[0-9]{1,3})?)"
FLAGS: Final = ("degraded", "do not use", "charging", "signed in", "in custody")
"""What the camera says of itself beside its state."""
LOG_S: Final = 10.0
"""How long a word of the device log may take to be on the card, unless the scenario says otherwise."""


class UnknownWord(ValueError):
    """A word that is not known, or a number that makes no sense; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An action with a number in it."""

    action: str
    pattern: str
    least: float
    most: float
    wrong: str
    """What is said of a number outside; {} is the number."""
    example: str


AMOUNTS: Final = (
    Amount(
        "battery", r"battery ([0-9]{1,3})", 0, 100, "{} is no percentage, say battery 0 to battery 100", "battery 50"
    ),
    Amount(
        "board", r"board ([0-9]{1,3}) degrees", 0, 150,
        "no board is {} degrees hot, say board 20 degrees to board 150 degrees", "board 85 degrees",
    ),
    Amount("drive at", r"drive at ([0-9]{1,3})", 1, 300, "no car drives at {} km/h", "drive at 140"),
    Amount("clock jumps", r"clock jumps (-?[0-9]{1,9}) s", -(10**9), 10**9, "{}", "clock jumps 3600 s"),
    Amount("encoder stalls", rf"encoder stalls {NUMBER} s", 0.1, 600, "say 0.1 to 600 s", "encoder stalls 3 s"),
    Amount(
        "microphone silent", rf"microphone silent {NUMBER} s", 0.1, 3600, "silence it for 0.1 to 3600 s",
        "microphone silent 10 s",
    ),
    Amount("gps jumps", r"gps jumps ([0-9]{1,6}) m", 1, 999_999, "let it jump by 1 m at least", "gps jumps 5000 m"),
    Amount("turn the wheel by", r"turn the wheel by ([0-9]{1,2})", 1, 40, "turn it by 1 to 40", "turn the wheel by 3"),
)  # fmt: skip
SAID: Final = ("give reason telephone", "supervisor overrides microphone", "case number 26-01234")
"""Examples of what takes words."""
_OVERRIDE: Final = re.compile(r"supervisor overrides ([a-z_ ]+)")
_NUMBERED: Final = re.compile(r"(case|cad) number ([A-Za-z0-9][A-Za-z0-9 ./-]{0,40})")
_REASON: Final = re.compile(r"give reason ([a-z_ ]+?)(?:, supervisor (consulted|not possible))?")
_WITHIN: Final = re.compile(rf"(.+?)(?: (within|for) {NUMBER} s)?")
_LOG: Final = re.compile(r"(no )?log ([a-z][a-z0-9_]*)(?: ([a-z][a-z0-9_]*))?")


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step does."""

    action: str
    """One of `ACTIONS`, the `action` of one of `AMOUNTS`, or the first words of one of `SAID`."""
    amount: float | None = None
    """The number of an amount: percent, degrees Celsius, km/h, seconds, metres, presses."""
    reason: str = ""
    """The reason's code, the check that is overridden, or the case's number."""
    supervisor: Literal["consulted", "not_possible"] | None = None
    """Whether a supervisor was asked (D.3.b.(1))."""
    for_s: float | None = None
    """How long a ``fault`` lasts; None: until it is ended."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be true within a time, or for a time."""

    text: str
    """As it was written."""
    status: str = ""
    """One of `STATES`."""
    state: str = ""
    """A state of the camera's own machine."""
    event: str = ""
    """An entry of the device log…"""
    word: str | None = None
    """…with this public word; None for any."""
    never: bool = False
    """It must not come at all in that time."""
    always: bool = False
    """It must be so all that time."""
    signal: str = ""
    """A lamp's colour, ``haptic``, ``tone``, or ``any`` of them."""
    flag: str = ""
    """One of `FLAGS`…"""
    so: bool = True
    """…or that it is not so."""
    claim: Claim | None = None
    """What the evidence or the dock must say."""
    within_s: float = LOG_S
    line: int = 0
    """Of the scenario, if it has one of its own."""


def nearest(word: str, known: tuple[str, ...]) -> str:
    """A sentence about an unknown word."""
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"{word!r} is not known; {hint}"


def deed(text: str) -> Deed:
    """What ``do = "…"`` means. Raises `UnknownWord`."""
    for one in AMOUNTS:
        found = re.fullmatch(one.pattern, text)
        if found is not None:
            amount = float(found[1])
            if not one.least <= amount <= one.most:
                raise UnknownWord(one.wrong.format(found[1]))
            return Deed(one.action, amount)
    reason = _REASON.fullmatch(text)
    if reason is not None:
        code = reason[1].replace(" ", "_")
        if code not in REASONS:
            raise UnknownWord(nearest(code, REASONS))
        asked: dict[str, Literal["consulted", "not_possible"]] = {
            "consulted": "consulted", "not possible": "not_possible"
        }  # fmt: skip
        return Deed("give reason", None, code, asked.get(reason[2] or ""))
    override = _OVERRIDE.fullmatch(text)
    if override is not None:
        check = override[1].replace(" ", "_")
        if check not in CHECKS:
            raise UnknownWord(nearest(check, CHECKS))
        return Deed("supervisor overrides", None, check)
    numbered = _NUMBERED.fullmatch(text)
    if numbered is not None:
        return Deed(f"{numbered[1]} number", None, numbered[2])
    if text not in ACTIONS:
        raise UnknownWord(nearest(text, (*ACTIONS, *(one.example for one in AMOUNTS), *SAID)))
    return Deed(text)


def expectation(text: str) -> Expectation:
    """What ``expect = "…"`` means. Raises `UnknownWord`."""
    found = _WITHIN.fullmatch(text)
    assert found is not None, "an empty text is refused before"
    what, how, seconds = found[1], found[2], found[3]
    within_s = float(seconds) if seconds else LOG_S
    log = _LOG.fullmatch(what)
    never = how == "for"
    if log is not None:
        if bool(log[1]) is not never:
            raise UnknownWord(f'{text!r} makes no sense; say "log muted within 2 s" or "no log muted for 2 s"')
        return Expectation(text, event=log[2], word=log[3], never=never, within_s=within_s)
    if what == "no recording" and never:
        return Expectation(text, status="recording", never=True, within_s=within_s)
    if how == "within" and what in STATES[1:]:
        return Expectation(text, status=what, within_s=within_s)
    state = what.removeprefix("state ").replace(" ", "_")
    if how == "within" and what.startswith("state "):
        known = tuple(one.value for one in State if one is not State.HOME)
        if state not in known:
            raise UnknownWord(nearest(state, known))
        return Expectation(text, state=state, within_s=within_s)
    examples = (
        "recording within 0.5 s", "no recording for 2 s", "state sleep within 4 s", "log muted", "no log muted for 2 s"
    )  # fmt: skip
    raise UnknownWord(nearest(text, examples))

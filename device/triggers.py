"""From edges of input lines to what the officer or the vehicle means: debounce, double press, hold. Pure.

Vehicle lines: 200 ms debounce; going active is a trigger (R14, R15, R17, R18), going off is only noted, after the
line's own off-delay, and never stops a recording (R15). Record button: two presses start (R13), a hold of 3 s asks to
stop; a stray press, quick or slow, is a marker while recording. Function button: press, double press, hold. A line that
chatters, or a button that never lets go, is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from device.config import BUTTONS, Input, InputKind
from hal.switches import Edge

BUTTON_DEBOUNCE_NS: Final = 30_000_000
CRITICAL_KINDS: Final = frozenset({"pursuit", "crash", "weapon", "emergency_button"})
"""Class critical unless the configuration says otherwise (requirements, "Trigger while asleep")."""
CONTEXT_KINDS: Final = frozenset({"brake", "ignition", "stealth_switch"})
"""Lines that start nothing: they stand in the input timeline, or have a meaning of their own."""
CHATTER_BURSTS: Final = 24
"""So many changes within CHATTER_NS that nobody means them: a finger makes two with each press."""
CHATTER_NS: Final = 10_000_000_000
BOUNCE_NS: Final = 50_000_000
"""Edges so close behind each other are one change: the bounce of a contact, however worn, is no loose wire. What hums
or floats goes on beyond it, and is found all the same."""
CHATTER_AGAIN_NS: Final = 60_000_000_000
STUCK_NS: Final = 30_000_000_000
"""A button that is held longer than this is stuck (the field's open-microphone button)…"""
STUCK_FUNCTION_NS: Final = 600_000_000_000
"""…but the function button may be held to mute a long private word."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a recording, or add this trigger to the one that runs."""

    trigger: str
    """Name of the trigger: the input's name, e.g. ``lightbar``."""
    critical: bool
    at_ns: int
    """When the line became active (before debounce), CLOCK_BOOTTIME."""
    manual: bool
    """True for buttons, which nothing may suppress (invariant 1)."""
    wakes: bool = False
    """It wakes a sleeping camera."""
    kind: str = "trigger"
    incident: str | None = None
    """The incident of the peer whose start this one follows (R23)."""
    source: str = "line"
    """`line`, `message` or `sensor`."""


@dataclass(frozen=True, slots=True)
class Stop:
    at_ns: int


@dataclass(frozen=True, slots=True)
class Press:
    """A single press that was not the first of two."""

    line: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class FunctionPress:
    at_ns: int


@dataclass(frozen=True, slots=True)
class FunctionDouble:
    at_ns: int


@dataclass(frozen=True, slots=True)
class FunctionHeld:
    """The function button has been down for the hold time."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class FunctionReleased:
    """…and is let go again."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class LineChanged:
    """A debounced level change of any line, for the input timeline."""

    line: str
    active: bool
    at_ns: int
    kind: str = "trigger"


@dataclass(frozen=True, slots=True)
class DockChanged:
    docked: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class LineFault:
    """An input that cannot be believed: ``chatter`` or ``stuck``."""

    line: str
    fault: str
    at_ns: int


Intent = (
    Start
    | Stop
    | Press
    | FunctionPress
    | FunctionDouble
    | FunctionHeld
    | FunctionReleased
    | LineChanged
    | DockChanged
    | LineFault
)


def standing(one: Input) -> tuple[bool, bool]:
    """Whether an input is of the class critical, and whether it wakes a sleeping camera."""
    critical = one.kind in CRITICAL_KINDS if one.critical is None else one.critical
    return critical, critical if one.wakes is None else one.wakes


@dataclass(frozen=True, slots=True)
class LineRule:
    """How one line is read."""

    kind: InputKind
    critical: bool
    debounce_ns: int
    off_delay_ns: int = 0
    wakes: bool = False


@dataclass
class _Line:
    name: str
    rule: LineRule
    level: bool = False
    """Debounced."""
    raw: bool = False
    since_ns: int = 0
    """When `raw` last changed."""
    pressed_at_ns: int | None = None
    """Begin of a press whose hold has not yet fired."""
    first_press_ns: int | None = None
    """Begin of a single press that waits for its second."""
    slow_press_ns: int | None = None
    """Begin of a press that is too long to be one of two, and may become a hold."""
    held: bool = False
    """The function button's hold has fired and its release has not."""
    bursts: deque[int] = field(default_factory=lambda: deque(maxlen=CHATTER_BURSTS))
    chatter_ns: int | None = None
    stuck: bool = False

    @property
    def settle_ns(self) -> int:
        """How long the present raw level must hold to count."""
        return self.rule.debounce_ns if self.raw else max(self.rule.debounce_ns, self.rule.off_delay_ns)

    @property
    def stuck_at_ns(self) -> int | None:
        """When the button that is down counts as stuck; None for one that is up, or was said to be."""
        if self.rule.kind not in BUTTONS or not self.level or self.stuck:
            return None
        return self.since_ns + (STUCK_FUNCTION_NS if self.rule.kind == "function_button" else STUCK_NS)


@dataclass
class Inputs:
    """All lines of one camera. Feed edges as they come, and `tick` at the latest when `deadline_ns` says."""

    rules: Mapping[str, LineRule]
    double_press_ns: int
    hold_ns: int
    _lines: dict[str, _Line] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lines = {name: _Line(name, rule) for name, rule in self.rules.items()}

    @property
    def levels(self) -> dict[str, bool]:
        """Debounced levels by line."""
        return {name: line.level for name, line in self._lines.items()}

    @property
    def pressing(self) -> bool:
        """Whether a press of the record button is under way whose meaning is not known yet."""
        buttons = [line for line in self._lines.values() if line.rule.kind == "record_button"]
        return any(one.first_press_ns is not None or one.pressed_at_ns is not None for one in buttons)

    @property
    def chattering(self) -> frozenset[str]:
        """Lines that were caught chattering since the start."""
        return frozenset(name for name, line in self._lines.items() if line.chatter_ns is not None)

    def edge(self, edge: Edge) -> list[Intent]:
        """Take one raw edge; lines without a rule are ignored."""
        intents = self.tick(edge.at_ns)
        line = self._lines.get(edge.line)
        if line is not None and line.raw != edge.active:
            line.raw, line.since_ns = edge.active, edge.at_ns
            intents += self._chatter(line, edge.at_ns)
            intents += self._settle(line, edge.at_ns)
        return intents

    def tick(self, now_ns: int) -> list[Intent]:
        """What has become true by now."""
        intents: list[Intent] = []
        for line in self._lines.values():
            intents += self._settle(line, now_ns)
            intents += self._expire(line, now_ns)
        return intents

    def deadline_ns(self) -> int | None:
        """When `tick` has something to say next; None if nothing is pending."""
        moments = [line.since_ns + line.settle_ns for line in self._lines.values() if line.raw != line.level]
        for line in self._lines.values():
            if line.pressed_at_ns is not None:
                moments.append(line.pressed_at_ns + self.hold_ns)
            if line.first_press_ns is not None:
                moments.append(line.first_press_ns + self.double_press_ns + line.rule.debounce_ns + 1)
            if line.stuck_at_ns is not None:
                moments.append(line.stuck_at_ns)
        return min(moments, default=None)

    @staticmethod
    def _chatter(line: _Line, at_ns: int) -> list[Intent]:
        """A loose contact: so many changes in so short a time that nobody means them."""
        if line.bursts and at_ns - line.bursts[-1] < BOUNCE_NS:
            return []
        line.bursts.append(at_ns)
        if len(line.bursts) < CHATTER_BURSTS or at_ns - line.bursts[0] > CHATTER_NS:
            return []
        if line.chatter_ns is not None and at_ns - line.chatter_ns < CHATTER_AGAIN_NS:
            return []
        line.chatter_ns = at_ns
        return [LineFault(line.name, "chatter", at_ns)]

    def _settle(self, line: _Line, now_ns: int) -> list[Intent]:
        if line.raw == line.level or now_ns - line.since_ns < line.settle_ns:
            return []
        line.level = line.raw
        at_ns, kind = line.since_ns, line.rule.kind
        intents: list[Intent] = [LineChanged(line.name, line.level, at_ns, kind)]
        if kind == "dock":
            intents.append(DockChanged(line.level, at_ns))
        elif kind == "record_button":
            intents += self._record_button(line, at_ns)
        elif kind == "function_button":
            intents += self._function_button(line, at_ns)
        elif line.level and kind not in CONTEXT_KINDS:
            manual = kind == "emergency_button"
            intents.append(Start(line.name, line.rule.critical, at_ns, manual, line.rule.wakes, kind))
        if not line.level:
            line.stuck = False
        return intents

    def _record_button(self, line: _Line, at_ns: int) -> list[Intent]:
        if not line.level:
            slow_ns, line.slow_press_ns, line.pressed_at_ns = line.slow_press_ns, None, None
            return [] if slow_ns is None else [Press(line.name, slow_ns)]
        line.pressed_at_ns = at_ns
        first, line.first_press_ns = line.first_press_ns, at_ns
        if first is not None and at_ns - first <= self.double_press_ns:
            # The press that starts is never the one that stops, however long a tense hand holds it.
            line.first_press_ns = line.pressed_at_ns = None
            return [Start(line.name, line.rule.critical, at_ns, manual=True, wakes=True, kind="record_button")]
        return []

    def _function_button(self, line: _Line, at_ns: int) -> list[Intent]:
        if not line.level:
            slow_ns, line.slow_press_ns, line.pressed_at_ns = line.slow_press_ns, None, None
            held, line.held = line.held, False
            if held:
                return [FunctionReleased(at_ns)]
            return [] if slow_ns is None else [FunctionPress(slow_ns)]
        line.pressed_at_ns = at_ns
        first, line.first_press_ns = line.first_press_ns, at_ns
        if first is not None and at_ns - first <= self.double_press_ns:
            line.first_press_ns = line.pressed_at_ns = None
            return [FunctionDouble(at_ns)]
        return []

    def _expire(self, line: _Line, now_ns: int) -> list[Intent]:
        intents: list[Intent] = []
        function = line.rule.kind == "function_button"
        if line.pressed_at_ns is not None and now_ns - line.pressed_at_ns >= self.hold_ns:
            held_ns = line.pressed_at_ns + self.hold_ns
            line.pressed_at_ns = line.first_press_ns = line.slow_press_ns = None
            line.held = function
            intents.append(FunctionHeld(held_ns) if function else Stop(held_ns))
        # A second press that comes within the time is known only when it is debounced.
        waited_ns = now_ns - (line.first_press_ns or 0)
        if line.first_press_ns is not None and waited_ns > self.double_press_ns + line.rule.debounce_ns:
            if line.pressed_at_ns is None:
                at_ns = line.first_press_ns
                intents.append(FunctionPress(at_ns) if function else Press(line.name, at_ns))
            else:
                line.slow_press_ns = line.first_press_ns
            line.first_press_ns = None
        if line.stuck_at_ns is not None and now_ns >= line.stuck_at_ns:
            line.stuck = True
            intents.append(LineFault(line.name, "stuck", line.since_ns))
        return intents

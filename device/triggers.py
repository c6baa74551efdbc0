"""From edges of input lines to what the officer or the vehicle means: debounce, double press, hold. Pure.

Vehicle lines: 200 ms debounce; going active is a trigger, going off is only noted and never stops a recording (R15).
Record button: two presses start (R13), a hold of 3 s stops; a stray press is a marker while recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from device.config import InputKind
from hal.switches import Edge

BUTTON_DEBOUNCE_NS: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a recording, or add this trigger to the one that runs."""

    trigger: str
    """Name of the trigger: the line's name, e.g. ``lightbar``."""
    critical: bool
    at_ns: int
    """When the line became active (before debounce), CLOCK_BOOTTIME."""
    manual: bool
    """True for buttons, which nothing may suppress (invariant 1)."""


@dataclass(frozen=True, slots=True)
class Stop:
    at_ns: int


@dataclass(frozen=True, slots=True)
class Press:
    """A single press that was not the first of two."""

    line: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class LineChanged:
    """A debounced level change of any line, for the input timeline."""

    line: str
    active: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class DockChanged:
    docked: bool
    at_ns: int


Intent = Start | Stop | Press | LineChanged | DockChanged


@dataclass(frozen=True, slots=True)
class LineRule:
    """How one line is read."""

    kind: InputKind
    critical: bool
    debounce_ns: int


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

    def edge(self, edge: Edge) -> list[Intent]:
        """Take one raw edge; lines without a rule are ignored."""
        intents = self.tick(edge.at_ns)
        line = self._lines.get(edge.line)
        if line is not None and line.raw != edge.active:
            line.raw, line.since_ns = edge.active, edge.at_ns
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
        moments = [line.since_ns + line.rule.debounce_ns for line in self._lines.values() if line.raw != line.level]
        for line in self._lines.values():
            if line.pressed_at_ns is not None:
                moments.append(line.pressed_at_ns + self.hold_ns)
            if line.first_press_ns is not None:
                moments.append(line.first_press_ns + self.double_press_ns + line.rule.debounce_ns + 1)
        return min(moments, default=None)

    def _settle(self, line: _Line, now_ns: int) -> list[Intent]:
        if line.raw == line.level or now_ns - line.since_ns < line.rule.debounce_ns:
            return []
        line.level = line.raw
        at_ns = line.since_ns
        intents: list[Intent] = [LineChanged(line.name, line.level, at_ns)]
        kind = line.rule.kind
        if kind == "dock":
            intents.append(DockChanged(line.level, at_ns))
        elif kind == "record_button":
            intents += self._button(line, at_ns)
        elif line.level:
            intents.append(Start(line.name, line.rule.critical, at_ns, manual=kind == "emergency_button"))
        return intents

    def _button(self, line: _Line, at_ns: int) -> list[Intent]:
        if not line.level:
            line.pressed_at_ns = None
            return []
        line.pressed_at_ns = at_ns
        first, line.first_press_ns = line.first_press_ns, at_ns
        if first is not None and at_ns - first <= self.double_press_ns:
            # The press that starts is never the one that stops, however long a tense hand holds it.
            line.first_press_ns = line.pressed_at_ns = None
            return [Start(line.name, line.rule.critical, at_ns, manual=True)]
        return []

    def _expire(self, line: _Line, now_ns: int) -> list[Intent]:
        intents: list[Intent] = []
        if line.pressed_at_ns is not None and now_ns - line.pressed_at_ns >= self.hold_ns:
            stop_ns = line.pressed_at_ns + self.hold_ns
            line.pressed_at_ns = line.first_press_ns = None
            intents.append(Stop(stop_ns))
        # A second press that comes within the time is known only when it is debounced.
        waited_ns = now_ns - (line.first_press_ns or 0)
        if line.first_press_ns is not None and waited_ns > self.double_press_ns + line.rule.debounce_ns:
            if line.pressed_at_ns is None:
                intents.append(Press(line.name, line.first_press_ns))
            line.first_press_ns = None
        return intents

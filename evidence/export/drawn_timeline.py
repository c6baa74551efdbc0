"""The recording over time as SVG: picture, sound, positions, input lines, and marks for what happened. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from evidence.export.contents import Contents, Stretch
from evidence.export.happenings import Level, input_lines, words
from evidence.export.markup import Markup, tag
from evidence.export.window import as_clock

_WIDTH: Final = 720
_LEFT: Final = 118
_ROW: Final = 22
_MARKS: Final = {"trigger": "#a3160f", "marker": "#1d4f91", "mute": "#6b4a00", "stop": "#222", "event": "#555"}
MAX_MARKS: Final = 60
_TRACKS: Final[Mapping[str, Callable[[Stretch], bool]]] = {
    "picture": lambda _: True,
    "sound": lambda one: one.sound,
    "GPS fix": lambda one: one.fix,
}


def _step(span_s: float) -> float:
    """A round number of seconds between two ticks, for six to twelve ticks."""
    for step in (0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if span_s / step <= 10:
            return float(step)
    return 3600.0 * math.ceil(span_s / 36_000)


class _Axis:
    def __init__(self, first_ns: int, from_s: float, to_s: float) -> None:
        self.first_ns, self.from_s, self.to_s = first_ns, from_s, max(to_s, from_s + 0.1)

    def x(self, at_ns: int) -> float:
        return self.at((at_ns - self.first_ns) / 10**9)

    def at(self, at_s: float) -> float:
        share = (min(max(at_s, self.from_s), self.to_s) - self.from_s) / (self.to_s - self.from_s)
        return round(_LEFT + share * (_WIDTH - _LEFT - 8), 1)


def _bar(axis: _Axis, y: float, start_ns: int, end_ns: int, colour: str) -> Markup:
    left, right = axis.x(start_ns), axis.x(end_ns)
    return tag("rect", x=left, y=y + 4, width=round(max(right - left, 0.6), 1), height=_ROW - 9, fill=colour)


def _name(y: float, text: str) -> Markup:
    return tag("text", text, x=_LEFT - 8, y=y + _ROW / 2 + 4, text_anchor="end", font_size=11)


def _line(axis: _Axis, y: float, level: Level) -> Markup:
    """On is a high line, off a low one, as an oscilloscope draws it."""
    high, low = y + 4, y + _ROW - 6
    path = f"M{axis.at(axis.from_s)} {high if level.before else low}"
    for at_ns, on in level.changes:
        path += f"H{axis.x(at_ns)}V{high if on else low}"
    return tag("path", d=path + f"H{axis.at(axis.to_s)}", fill="none", stroke="#222", stroke_width=1.5)


def timeline(values: Mapping[str, Any], contents: Contents) -> Markup | None:
    """The drawing, or None for a recording without pictures. The scale is the recording's own time."""
    if values["span_ns"] is None:
        return None
    first_ns, end_ns = values["span_ns"]
    placed = [one for one in values["happenings"] if one["at_s"] is not None]
    times = [one["at_s"] for one in placed]
    axis = _Axis(first_ns, min([0.0, *times]), max([(end_ns - first_ns) / 10**9, *times]))
    body: list[Markup] = []
    y = 30.0
    for name, is_there in _TRACKS.items():
        body.append(_name(y, name))
        there = (one for one in contents.stretches if is_there(one))
        body += [_bar(axis, y, one.start_ns, one.end_ns, "#5b7a99") for one in there]
        y += _ROW
    gaps = (one for one in placed if one["kind"] == "gap" and one["end_ns"] is not None)
    body += [_bar(axis, 30.0, gap["at_ns"], gap["end_ns"], "#d9534f") for gap in gaps]
    for level in input_lines(contents.metadata):
        body += [_name(y, words(level.name)), _line(axis, y, level)]
        y += _ROW
    body += _marks(axis, placed[:MAX_MARKS], y)
    body += _ticks(axis, y)
    drawn = tag("g", *body, font_family="sans-serif")
    told = "Recorded picture, sound, positions and input lines over time"
    return tag("svg", drawn, viewBox=f"0 0 {_WIDTH} {y + 26:g}", role="img", aria_label=told, class_="timeline")


def _marks(axis: _Axis, placed: Sequence[Mapping[str, Any]], bottom: float) -> list[Markup]:
    """Numbered like the table below the drawing; numbers that would collide climb one step."""
    drawn: list[Markup] = []
    last_x, climbed = -100.0, False
    for number, one in enumerate(placed, 1):
        colour = _MARKS.get(one["kind"])
        if colour is None:
            continue
        x = axis.at(one["at_s"])
        climbed = x - last_x < 13 and not climbed
        last_x = x
        y = 8 if climbed else 20
        drawn.append(tag("line", x1=x, x2=x, y1=26, y2=bottom, stroke=colour, stroke_width=1.2, stroke_dasharray="3 2"))
        drawn.append(
            tag("text", number, x=x, y=y + 2, text_anchor="middle", font_size=11, fill=colour, font_weight=700)
        )
    return drawn


def _ticks(axis: _Axis, y: float) -> list[Markup]:
    step = _step(axis.to_s - axis.from_s)
    drawn = [tag("line", x1=_LEFT, x2=_WIDTH - 8, y1=y, y2=y, stroke="#222")]
    at_s = math.ceil(axis.from_s / step) * step
    while at_s <= axis.to_s + 1e-9:
        x = axis.at(at_s)
        drawn.append(tag("line", x1=x, x2=x, y1=y, y2=y + 4, stroke="#222"))
        text = as_clock(at_s) if step < 1 else as_clock(at_s)[:-2]
        drawn.append(
            tag("text", text if at_s >= 0 else f"{at_s:g} s", x=x, y=y + 16, text_anchor="middle", font_size=10)
        )
        at_s += step
    return drawn

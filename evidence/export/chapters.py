"""Chapters of an exported MP4: its begin, and every trigger, marker, mute, gap and stop inside of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.export.contents import Contents
from evidence.export.happenings import Happening, Kind
from evidence.export.mp4 import Chapter

SHOWN: Final[frozenset[Kind]] = frozenset({"trigger", "marker", "mute", "gap", "stop"})
_NEAR_S: Final = 0.25
"""What lies closer together shares a chapter; a player cannot jump between."""


def chapters(found: Sequence[Happening], contents: Contents, end_s: float, *, clipped: bool) -> list[Chapter]:
    """In order, the first at zero. In a clip only what lies inside; else the stop stands at the last picture."""
    last_s = max(0.0, end_s - 0.04)
    placed: list[Chapter] = []
    for one in found:
        if one.kind not in SHOWN or one.at_ns is None:
            continue
        at_s = contents.in_file_s(one.at_ns)
        if clipped and not -_NEAR_S <= at_s <= end_s:
            continue
        at_s = min(max(at_s, 0.0), last_s)
        if placed and at_s - placed[-1].at_s < _NEAR_S:
            placed[-1] = Chapter(placed[-1].at_s, f"{placed[-1].title}; {one.title}")
        else:
            placed.append(Chapter(at_s, one.title))
    if not placed or placed[0].at_s >= _NEAR_S:
        before = any(one.title.startswith("Trigger") for one in placed) and not clipped
        return [Chapter(0.0, "Begin, before the trigger" if before else "Begin"), *placed]
    return [Chapter(0.0, placed[0].title), *placed[1:]]

"""The usage of a shift as a page for a person: how recordings were begun and ended, and what was not (R36). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SECTIONS = (
    ("triggers", "begun or joined by"),
    ("stops", "ended by"),
    ("stop_reasons", "reasons given"),
    ("pauses", "pauses (D.3)"),
    ("labels", "labels"),
    ("self_tests", "self-tests"),
    ("suppressed", "triggers suppressed"),
    ("gaps", "gaps in recordings"),
    ("failures", "failures to record"),
    ("overrides", "supervisor's overrides"),
    ("malfunctions", "malfunctions reported"),
    ("faults", "faults"),
)


def length(seconds: int) -> str:
    """A time as a person says it."""
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {int(seconds) % 60:02d} s"


def usage_lines(facts: Mapping[str, Any]) -> list[str]:
    """The page, line by line."""
    return list(_lines(facts))


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"this period           {length(facts.get('seconds', 0))}"
    yield f"recordings            {facts.get('recordings', 0)}"
    for key, title in SECTIONS:
        found = facts.get(key)
        if isinstance(found, Mapping) and found:
            told = ", ".join(f"{_words(name)} {count}" for name, count in found.items())
            yield f"  {title:<22} {told}"
    yield f"late starts           {facts.get('late_starts', 0)}"
    for one in facts.get("late", ()):
        line = f" after {_words(one['line'])} had become active" if one.get("line") else " after its trigger"
        yield f"  {_words(one['trigger'])}: {one['late_ms'] / 1000:.0f} s{line}"
    yield f"short pre-event       {facts.get('short_rings', 0)}"
    if facts.get("gaps"):
        yield f"missing               {facts.get('gap_ms', 0) / 1000:.1f} s, {facts.get('frames_missing', 0)} frames"
    yield f"stops without reason  {facts.get('stops_without_reason', 0)}"
    muted = facts.get("interval_s", {}).get("muted", 0)
    yield f"mutes                 {facts.get('muted', 0)}, {length(muted)} in all"
    for name, seconds in facts.get("state_s", {}).items():
        yield f"  {_words(name):<22} {length(seconds)}"


def _words(name: object) -> str:
    return str(name).replace("_", " ")

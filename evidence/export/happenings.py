"""What happened in a recording, in order: triggers, markers, mutes, gaps, clock steps, recovery, stop. Pure.

Public statements say that something happened and when; the sealed metadata object right behind an `event` statement
holds its details. A trigger that is told twice (opening and closing metadata) happens once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["begin", "trigger", "marker", "mute", "gap", "clock", "recovered", "event", "stop"]
Values = Mapping[str, Any]

_GAPS: Final = {
    "writer_behind": "the card could not keep up",
    "camera_silent": "the camera delivered no picture",
    "frames_lost": "frames were lost before they reached the recorder",
    "storage_error": "the card reported an error",
    "key_failed": "the signing key failed; what was filmed is kept aside, sealed",
    "storage_full": "the card was full",
    "stop_in_crash": "the camera stopped working",
}
_LATE_ITEMS: Final = 3
"""A details object stands two items behind its event statement (its own `sealed` statement between)."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. Times are this boot's CLOCK_BOOTTIME; None if the recording does not say."""

    kind: Kind
    at_ns: int | None
    title: str
    detail: str = ""
    end_ns: int | None = None


def words(name: object) -> str:
    """A word of the format as people write it: `record_button` is "record button"."""
    return str(name).replace("_", " ")


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _trigger(found: object) -> Happening:
    if not isinstance(found, Mapping):
        return Happening("trigger", None, f"Trigger: {words(found)}", "the recording does not say when")
    manual = {True: "by a person", False: "automatic"}.get(found.get("manual"), "")  # type: ignore[arg-type]
    critical = "critical class" if found.get("critical") is True else ""
    detail = ", ".join(one for one in (manual, critical) if one)
    return Happening("trigger", _integer(found.get("at_ns")), f"Trigger: {words(found.get('name', 'unnamed'))}", detail)


def _details_of(statement: Values, metadata: Sequence[Values]) -> Values:
    item = statement["item"]
    near = (one for one in metadata if item < one["item"] < item + _LATE_ITEMS)
    return next(near, {})


def _event(statement: Values, metadata: Sequence[Values]) -> Happening | None:
    name, details = str(statement["event"]), _details_of(statement, metadata)
    at_ns = _integer(details.get("at_ns")) or statement["mono_ns"]
    if name == "trigger":  # told by its details, with the other triggers
        return None
    inside = {key: value for key, value in details.items() if key not in ("item", "at_ns", "part")}
    told = [words(statement["word"])] if statement.get("word") else []
    told += [f"{words(key)}: {words(value)}" for key, value in inside.items() if isinstance(value, str | int)]
    kind: Kind = "marker" if name == "marker" else "mute" if "mute" in name else "event"
    title = "Marker" if name == "marker" else words(name).capitalize()
    return Happening(kind, at_ns, title, ", ".join(told))


def _statement(statement: Values, metadata: Sequence[Values]) -> Happening | None:
    match statement["kind"]:
        case "event":
            return _event(statement, metadata)
        case "gap":
            seconds = (statement["end_ns"] - statement["start_ns"]) / 10**9
            frames = f", {statement['frames']} frames" if statement.get("frames") else ""
            why = _GAPS.get(statement["cause"], words(statement["cause"]))
            return Happening("gap", statement["start_ns"], f"Gap of {seconds:.2f} s", why + frames, statement["end_ns"])
        case "clock":
            before, after = statement["before"], statement["after"]
            detail = (
                f"{words(statement['cause'])}; "
                f"before: {before['earliest']} to {before['latest']} ({before['source']}), "
                f"after: {after['earliest']} to {after['latest']} ({after['source']})"
            )
            return Happening("clock", statement["mono_ns"], "Clock corrected", detail)
        case "recovered":
            lost = statement.get("lost", ())
            detail = f"{statement['cut_bytes']} bytes of a torn end set aside" + (
                f", {len(lost)} announced object(s) lost" if lost else ", nothing that was announced is lost"
            )
            return Happening("recovered", None, "Recovered after an interruption", detail)
        case "close":
            return Happening("stop", statement["mono_ns"], f"Stop: {words(statement['reason'])}")
        case _:
            return None


def happenings(statements: Sequence[Values], metadata: Sequence[Values], triggers: Iterable[object]) -> list[Happening]:
    """Everything in order of time; what has no time stands first."""
    found = [_trigger(one) for one in triggers]
    found += [one for one in (_statement(statement, metadata) for statement in statements) if one is not None]
    return sorted(found, key=lambda one: (one.at_ns is not None, one.at_ns or 0))


@dataclass(frozen=True, slots=True)
class Level:
    """One input line over time: (CLOCK_BOOTTIME, on or off) in order, and what it was before the first change."""

    name: str
    before: bool
    changes: tuple[tuple[int, bool], ...]


def input_lines(metadata: Sequence[Values]) -> list[Level]:
    """The input timeline of a recording, line by line, as the camera noted it around the triggers."""
    changes: dict[str, set[tuple[int, bool]]] = {}
    levels: dict[str, bool] = {}
    for document in metadata:
        lines, timeline = document.get("lines"), document.get("timeline")
        if isinstance(lines, Mapping):
            levels.update({str(name): bool(value) for name, value in lines.items()})
        for row in timeline if isinstance(timeline, list) else ():
            if isinstance(row, list) and len(row) == 3 and _integer(row[0]) is not None:
                changes.setdefault(str(row[1]), set()).add((row[0], bool(row[2])))
    made = []
    for name in sorted({*changes, *levels}):
        ordered = tuple(sorted(changes.get(name, ())))
        before = not ordered[0][1] if ordered else levels.get(name, False)
        made.append(Level(name, before, ordered))
    return made

"""Statements of device logs and recordings as entries of one timeline: in order, each told once. Pure.

Order: boots as the log tells them one after the other, then the monotonic clock of each boot; a clock that was wrong
changes no order. What a recording and the log both tell is one entry (the log's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from evidence.statements import (
    AnyStatement,
    ClockStep,
    Close,
    Event,
    Gap,
    Open,
    Recovered,
    Sealed,
    Utc,
    moment,
    moment_ns,
)

TWIN_NS: Final = 2_000_000_000
"""What the log and a recording both tell, they tell within this time of each other."""
TOLD_BY: Final = {
    "recording": ("recording_opened", "stop_withdrawn"),
    "docked": ("docked",),
    "confirming_stop": ("stop_asked",),
    "stating_reason": ("stop_confirmed",),
}
"""A state that another entry of the same moment tells already."""
FAILURES: Final = frozenset({"failure_began", "failure_ended", "failure_to_record"})
HIDDEN: Final = frozenset({"part", "event", "seq", "salt"})
"""What a metadata object says about itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, as one statement tells it."""

    statement: AnyStatement
    file: str
    """Name of the file that it stands in."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What its sealed metadata adds; empty if it has none or if it was not opened."""
    told_twice: bool = False
    """The recording's own file tells the same."""
    minor: bool = False
    """Another entry of the same moment says it better."""

    @property
    def name(self) -> str:
        """The name of its words."""
        if isinstance(self.statement, Event):
            return self.statement.event
        kind = self.statement.kind
        return f"{kind}_{self.statement.stream}" if kind in ("open", "close") else kind

    @property
    def recording(self) -> int | None:
        """The number of the recording that it is about."""
        if self.statement.stream == "recording":
            return self.statement.number
        return self.statement.recording if isinstance(self.statement, Event) else None

    @property
    def fields(self) -> dict[str, Any]:
        """All that a sentence can use."""
        found = {key: value for key, value in self.details.items() if key not in HIDDEN}
        found |= _computed(self.details)
        found |= _public(self.statement)
        return {**found, "file": found.get("file"), "number": self.statement.number, "recording": self.recording}


def _public(statement: AnyStatement) -> dict[str, Any]:
    match statement:
        case Event():
            name = statement.file.name if statement.file is not None else None
            shift = {} if statement.correction is None else {"shift_s": statement.correction.shift_us / 10**6}
            return {"word": statement.word, "file": name, **shift}
        case Gap():
            seconds = (statement.end_ns - statement.start_ns) / 10**9
            return {"cause": statement.cause, "seconds": seconds, "frames": statement.frames or None}
        case ClockStep():
            return {
                "word": statement.cause,
                "cause": statement.cause,
                "before": _clock(statement.before),
                "after": _clock(statement.after),
                "before_source": statement.before.source,
                "after_source": statement.after.source,
            }
        case Recovered():
            return {"cut_bytes": statement.cut_bytes, "lost": len(statement.lost) or None}
        case Close():
            empty = "no picture" if statement.stream == "recording" and not statement.frames else None
            return {"word": statement.reason, "frames": statement.frames or None, "empty": empty}
        case Open():
            return {
                "profile": f"{statement.profile.name} {statement.profile.version}",
                "firmware": statement.camera.firmware,
                "upload_class": statement.upload_class,
                "continues": statement.continues,
                "resumes": statement.resumes,
            }
        case _:
            return {}


def _computed(details: Mapping[str, Any]) -> dict[str, Any]:
    """Sums over the details, where these are lists that nobody reads as they are."""
    found: dict[str, Any] = {}
    checks = details.get("checks")
    if isinstance(checks, list) and all(isinstance(one, Mapping) for one in checks):
        found["checks_count"] = len(checks)
        wrong = [one for one in checks if one.get("result") not in ("pass", "not_present", "note")]
        found["checks_not_passed"] = [f"{one.get('result')}, {_seen(one)}" for one in wrong]
        found["checks_noted"] = [_seen(one) for one in checks if one.get("result") == "note"]
        found["checks_absent"] = [str(one.get("name")) for one in checks if one.get("result") == "not_present"]
    begin_ns, end_ns = details.get("start_ns"), details.get("end_ns")
    if isinstance(begin_ns, int) and isinstance(end_ns, int):
        found["seconds"] = (end_ns - begin_ns) / 10**9
    mutes = details.get("mutes")
    if isinstance(mutes, list):
        rows = [row for row in mutes if isinstance(row, list) and len(row) == 2]
        ended = [row for row in rows if all(isinstance(one, int) for one in row)]
        found["muted_s"] = sum(end - begin for begin, end in ended) / 10**9 or None
    zones = details.get("zones_mc")
    if isinstance(zones, Mapping):
        found["zones"] = [f"{name} {mc / 1000:.1f} °C" for name, mc in zones.items() if isinstance(mc, int)]
    check = details.get("check")
    if isinstance(check, Mapping):
        found["check_seen"] = str(check.get("value"))
    if isinstance(details.get("failures"), list):
        found["failures"] = [str(one.get("cause")) for one in details["failures"] if isinstance(one, Mapping)]
    if isinstance(details.get("frames"), int):
        found["frames"] = details["frames"] or None
    return found


def _seen(check: Mapping[str, Any]) -> str:
    return f"{check.get('name')}: {check.get('value')} (wanted: {check.get('limit')})"


def _middle_ns(utc: Utc) -> int:
    return (moment_ns(utc.earliest) + moment_ns(utc.latest)) // 2


def at_utc(statement: AnyStatement, mono_ns: int) -> str:
    """UTC of an instant of the same boot by a statement's claim, as people read it; else the time since the boot."""
    if statement.utc.source == "none":
        return f"{mono_ns / 10**9:.3f} s after its boot (UTC unknown)"
    return moment(_middle_ns(statement.utc) - statement.mono_ns + mono_ns)[11:23]


def _clock(utc: Utc) -> str:
    return "unknown" if utc.source == "none" else f"{moment(_middle_ns(utc))[:19].replace('T', ' ')} UTC"


def timeline(entries: Iterable[Entry]) -> list[Entry]:
    """All entries in order; objects are not told, and nothing is told twice."""
    told = [one for one in entries if not isinstance(one.statement, Sealed)]
    ranks = _boots(told)
    told.sort(key=lambda one: (ranks[one.statement.boot], one.statement.mono_ns, one.statement.stream == "recording"))
    return _once(told)


def _boots(entries: Sequence[Entry]) -> dict[str, int]:
    """The rank of each boot: as the log has them; those that only recordings tell of, by their claim of UTC."""
    log = [one.statement for one in entries if one.statement.stream == "log"]
    ordered = sorted(log, key=lambda one: (one.number, one.seq))
    ranks = {boot: rank for rank, boot in enumerate(dict.fromkeys(one.boot for one in ordered))}
    rest = [one.statement for one in entries if one.statement.boot not in ranks]
    for statement in sorted(rest, key=lambda one: (one.number, one.seq)):
        ranks.setdefault(statement.boot, len(ranks))
    return ranks


def cuts(entries: Iterable[Entry]) -> list[Entry]:
    """What goes on with an interrupted recording says from when until when there are no pictures (R28, R29)."""
    known = list(entries)
    ends = {one.statement.number: one.details for one in known if one.name == "close_recording"}
    opens = [one.statement for one in known if isinstance(one.statement, Open)]
    before = {one.number: one.resumes for one in opens if one.stream == "recording" and (one.resumes or 0) < one.number}
    told: list[Entry] = []
    for one in known:
        statement = one.statement
        if isinstance(statement, Open) and statement.resumes is not None:
            cut: int | None = statement.resumes
            while cut is not None and "pictures_until" not in ends.get(cut, {}):
                cut = before.get(cut)  # cut off again before its first picture
            since = ends.get(cut, {}).get("pictures_until") if cut is not None else None
            gone = {"cut_at": since, "again_at": ends.get(statement.number, {}).get("pictures_from")}
            told.append(replace(one, details={**one.details, **gone}))
        else:
            told.append(one)
    return told


def _once(entries: list[Entry]) -> list[Entry]:
    """Leave out what a recording tells of the same moment as the log, and mark what another entry says better."""
    twins: dict[tuple[str, int | None], list[int]] = {}
    for place, one in enumerate(entries):
        if one.statement.stream == "log":
            twins.setdefault((one.name, one.recording), []).append(place)
    dropped: set[int] = set()
    for place, one in enumerate(entries):
        if one.statement.stream == "log":
            continue
        known = twins.get(_name_in_log(one), [])
        near = [at for at in known if _twins(entries[at].statement, one.statement)]
        if near:
            twin = min(near, key=lambda at: abs(entries[at].statement.mono_ns - one.statement.mono_ns))
            known.remove(twin)
            merged = {**_public(one.statement), **one.details, **entries[twin].details}
            entries[twin] = replace(entries[twin], told_twice=True, details=merged)
            dropped.add(place)
    kept = [one for place, one in enumerate(entries) if place not in dropped]
    return [replace(one, minor=_is_minor(one, kept[max(0, at - 4) : at + 5])) for at, one in enumerate(kept)]


def _name_in_log(one: Entry) -> tuple[str, int | None]:
    """What the log calls a statement of a recording."""
    match one.statement:
        case Open():
            return "recording_opened", one.recording
        case Close(reason="recovered"):
            return "recording_recovered", one.recording
        case Close():
            return "recording_closed", one.recording
        case ClockStep():
            return one.name, None
    return one.name, one.recording


def _is_minor(one: Entry, around: Sequence[Entry]) -> bool:
    """A state whose cause is told, what is told as a failure to record too, and a receipt that a deletion names."""
    if not isinstance(one.statement, Event):
        return False
    word, near = str(one.statement.word), [other for other in around if _near(other.statement, one.statement)]
    if one.name == "state":
        return any(other.name in TOLD_BY.get(word, ()) for other in near)
    if one.name == "receipt_taken":
        deleted = [other.statement for other in near if other.name == "tombstone"]
        return any(isinstance(other, Event) and other.file == one.statement.file for other in deleted)
    if one.name != "background_test":
        return False
    if word.endswith("_works"):
        return any(other.name == "failure_ended" for other in near)
    told = {other.statement.word for other in near if isinstance(other.statement, Event) and other.name in FAILURES}
    return word in told


def _twins(one: AnyStatement, other: AnyStatement) -> bool:
    if isinstance(other, Open | Close):
        return one.boot == other.boot
    if isinstance(other, ClockStep):
        return isinstance(one, ClockStep) and one.cause == other.cause and _near(one, other)
    same_word = isinstance(one, Event) and isinstance(other, Event) and one.word == other.word
    return same_word and _near(one, other)


def _near(one: AnyStatement, other: AnyStatement) -> bool:
    return one.boot == other.boot and abs(one.mono_ns - other.mono_ns) <= TWIN_NS


def when(statement: AnyStatement, boot: int) -> str:
    """UTC as the camera claims it, with its uncertainty and source; or the time since its boot."""
    utc = statement.utc
    if utc.source == "none":
        return f"UTC unknown, boot {boot + 1}, {statement.mono_ns / 10**9:.3f} s"
    half_ns = (moment_ns(utc.latest) - moment_ns(utc.earliest)) / 2
    return f"{moment(_middle_ns(utc))[:23].replace('T', ' ')} ±{half_ns / 10**9:.3f} s {utc.source}"


def values(one: Entry, sentence: str) -> dict[str, Any]:
    """One entry for machines."""
    statement = one.statement
    return {
        "serial": statement.serial,
        "file": one.file,
        "seq": statement.seq,
        "boot": statement.boot,
        "mono_ns": statement.mono_ns,
        "utc": msgspec.to_builtins(statement.utc),
        "name": one.name,
        "word": statement.word if isinstance(statement, Event) else None,
        "recording": one.recording,
        "sentence": sentence,
        "details": {key: value for key, value in one.details.items() if key not in HIDDEN},
        "told_twice": one.told_twice,
        "minor": one.minor,
    }

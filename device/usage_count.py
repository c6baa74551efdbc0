"""The usage of one shift in numbers, counted from the entries of the device log as they are made (R36). Pure.

A count is never a verdict. `late` is a recording that was begun more than `LATE_NS` after a vehicle line had become
active without one, or more than that after its own trigger; `short_ring` one whose ring held over a second less than
the profile asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LATE_NS: Final = 5_000_000_000
SHORT_NS: Final = 1_000_000_000
INTERVALS: Final = {"muted": "unmuted"}
"""Entries that begin something, and the entry that ends it."""
BY_WORD: Final = {
    "recording_closed": "stops",
    "failure_to_record": "alarms",
    "failure_began": "failures",
    "failure_noted": "failures",
    "suppressed": "suppressed",
    "self_test": "self_tests",
    "override": "overrides",
    "labelled": "labels",
    "malfunction": "malfunctions",
    "fault": "faults",
    "stop_reason": "stop_reasons",
    "command": "commands",
    "stealth": "stealth",
    "paused": "pauses",
    "line_fault": "line_faults",
    "battery": "battery",
    "thermal": "thermal",
}
"""Entries that are counted by their public word."""
PLAIN: Final = {
    "rolled_over": "rolled_over",
    "reactivated": "reactivations",
    "died_last_shift": "died_last_shift",
    "peer_start_taken": "peer_starts",
    "recording_recovered": "recovered",
    "recording_void": "void",
    "receipt_refused": "receipts_refused",
    "command_refused": "commands_refused",
    "tombstone": "deleted_after_receipt",
    "degraded": "degraded",
    "marker": "markers",
}


GAPS: Final = frozenset(
    {"camera_silent", "encoder_stalled", "frames_lost", "writer_behind", "storage_error", "storage_full", "key_failed"}
)
"""Failures that leave a gap in a recording."""
OVER: Final = frozenset({"failure_ended", "failure_noted"})


def late_by_ns(at_ns: int, active_since: Mapping[str, int], idle_since_ns: int) -> tuple[str | None, int]:
    """Which vehicle line was active the longest without a recording when one was begun, and for how long.

    A line that became active before the last recording ended has had its recording.
    """
    waiting = {line: since for line, since in active_since.items() if idle_since_ns <= since < at_ns}
    if not waiting:
        return None, 0
    line = min(waiting, key=lambda one: waiting[one])
    return line, at_ns - waiting[line]


def is_new_recording(event: str, fields: Mapping[str, Any]) -> bool:
    """A recording was begun, and not only gone on with in a new file, or beside the first camera's by another."""
    details = fields.get("details")
    told = details if isinstance(details, Mapping) else {}
    return event == "recording_opened" and "continues" not in told and "channel" not in told


@dataclass
class Usage:
    """Counts since `began_ns` (CLOCK_BOOTTIME). Changed under the caller's lock."""

    began_ns: int
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    plain: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    """Milliseconds spent in each state, and in each interval."""
    late: list[dict[str, Any]] = field(default_factory=list)
    short_rings: int = 0
    recordings: int = 0
    _since: dict[str, int] = field(default_factory=dict)
    """Intervals that are under way."""
    _state: tuple[str, int] | None = None
    _others: set[int] = field(default_factory=set)
    """Numbers of files by a vehicle's other cameras: their ends are not counted once more."""

    def logged(self, event: str, fields: Mapping[str, Any], at_ns: int) -> None:
        """Take one entry of the log."""
        word = fields.get("word")
        if is_new_recording(event, fields):
            self.recordings += 1
            self._trigger(fields.get("details"), "trigger")
        elif event == "trigger":
            self._trigger(fields.get("details"), "name")
        if event == "recording_opened" and not is_new_recording(event, fields):
            self._other_camera(fields)
        if event == "recording_closed" and (word == "rolled_over" or fields.get("recording") in self._others):
            return
        if event == "stop_reason" and word == "reason_missing":
            self.plain["stops_without_reason"] += 1
        elif event in BY_WORD:
            self._count(BY_WORD[event], str(word or "unnamed"))
        elif event in PLAIN:
            self.plain[PLAIN[event]] += 1
        elif event in INTERVALS:
            self.plain[event] += 1
            self._since.setdefault(event, at_ns)
        if event in OVER and word in GAPS and fields.get("recording") is not None:
            self._gap(str(word), fields.get("details"))
        for begun, ended in INTERVALS.items():
            if event == ended:
                self._end_interval(begun, at_ns)

    def state(self, state: str, at_ns: int) -> None:
        """The camera is in that state from now on."""
        self._end_state(at_ns)
        if self._state is None or self._state[0] != state:
            self._count("states", state)
        self._state = (state, at_ns)

    def began(self, at_ns: int, trigger: str, line: str | None, late_ns: int, missing_ring_ns: int) -> None:
        """A recording begins: whether it comes late, and whether its ring is short."""
        if late_ns > LATE_NS and len(self.late) < 100:
            self.late.append({"at_ns": at_ns, "trigger": trigger, "line": line, "late_ms": late_ns // 1_000_000})
        if missing_ring_ns > SHORT_NS:
            self.short_rings += 1

    def summary(self, at_ns: int) -> dict[str, Any]:
        """All counts as plain values, what is under way included up to now."""
        self._end_state(at_ns)
        for begun in tuple(self._since):
            self._end_interval(begun, at_ns)
            self._since[begun] = at_ns
        return {
            "seconds": max(0, at_ns - self.began_ns) // 10**9,
            "recordings": self.recordings,
            "late_starts": len(self.late),
            "late": list(self.late),
            "short_rings": self.short_rings,
            **{name: dict(sorted(found.items())) for name, found in sorted(self.counts.items())},
            **dict(sorted(self.plain.items())),
            "state_s": {name: ms // 1000 for name, ms in sorted(self.seconds.items()) if name not in INTERVALS},
            "interval_s": {name: ms // 1000 for name, ms in sorted(self.seconds.items()) if name in INTERVALS},
        }

    def next(self, at_ns: int) -> Usage:
        """The period after this one: what is under way goes on in it. Call it after `summary`."""
        return Usage(at_ns, _since=dict.fromkeys(self._since, at_ns), _state=self._state, _others=self._others)

    def _count(self, name: str, word: str) -> None:
        self.counts.setdefault(name, Counter())[word] += 1

    def _other_camera(self, fields: Mapping[str, Any]) -> None:
        number, details = fields.get("recording"), fields.get("details")
        told = details if isinstance(details, Mapping) else {}
        before = str(told.get("continues", "")).rpartition("-")[2]
        if isinstance(number, int) and ("channel" in told or (before.isdecimal() and int(before) in self._others)):
            self._others.add(number)

    def _gap(self, cause: str, details: object) -> None:
        """A part of a recording that is not there: how often, how long, how many frames."""
        told = details if isinstance(details, Mapping) else {}
        start_ns, end_ns, frames = told.get("start_ns"), told.get("end_ns"), told.get("frames")
        self._count("gaps", cause)
        if isinstance(start_ns, int) and isinstance(end_ns, int):
            self.plain["gap_ms"] += max(0, end_ns - start_ns) // 1_000_000
        self.plain["frames_missing"] += frames if isinstance(frames, int) else 0

    def _trigger(self, details: object, key: str) -> None:
        if isinstance(details, Mapping):
            self._count("triggers", str(details.get(key) or "unnamed"))

    def _end_interval(self, begun: str, at_ns: int) -> None:
        since = self._since.pop(begun, None)
        if since is not None:
            self.seconds[begun] += max(0, at_ns - since) // 1_000_000

    def _end_state(self, at_ns: int) -> None:
        if self._state is not None:
            name, since = self._state
            self.seconds[name] += max(0, at_ns - since) // 1_000_000
            self._state = (name, at_ns)

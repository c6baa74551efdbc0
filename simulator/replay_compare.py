"""Hold two logs of a camera against each other: did a replay do what the camera did? Pure.

Public entries only. Threads of one camera log at their own pace, so that what has nothing to do with each other (a
state and the closing of a file) may change places within milliseconds: they are compared in order, track by track.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evidence.log_entries import Entry
from evidence.statements import Event

TRACKS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("recording_opened", "recording_closed", "recording_recovered", "rolled_over"), "recordings"),
    **dict.fromkeys(("failure_began", "failure_ended", "failure_noted", "failure_to_record"), "failures"),
    **dict.fromkeys(("docked", "undocked"), "dock"),
    **dict.fromkeys(("assigned", "session_ended", "override", "lock"), "people"),
    **dict.fromkeys(("muted", "unmuted"), "sound"),
    **dict.fromkeys(("stop_reason", "paused", "reactivated", "reminded"), "stops"),
    **dict.fromkeys(("peer_start_taken", "peer_start_refused", "peer_start_sent"), "peers"),
    **dict.fromkeys(("battery", "low_power", "thermal", "battery_empty"), "power"),
    **dict.fromkeys(("boot", "shutdown"), "starts"),
    "state": "states", "labelled": "labels", "trigger": "triggers", "suppressed": "triggers", "stealth": "stealth",
    "self_test": "self-tests",
}  # fmt: skip
"""What belongs together, in order. What is not named here depends on the dock's pace, or follows from the rest."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two logs are."""

    same: int
    before: int
    """Entries of the log that was replayed."""
    after: int
    differences: tuple[str, ...]
    """A sentence each."""

    @property
    def alike(self) -> bool:
        return not self.differences


def compared(before: Iterable[Entry], after: Iterable[Entry]) -> Comparison:
    """Track by track, in order."""
    then, now = _tracks(before), _tracks(after)
    same, differences = 0, []
    for track in dict.fromkeys(TRACKS.values()):
        old, new = then.get(track, []), now.get(track, [])
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
            if what == "equal":
                same += old_to - old_from
            else:
                differences.append(_told(track, old_from, old[old_from:old_to], new[new_from:new_to]))
    return Comparison(same, sum(map(len, then.values())), sum(map(len, now.values())), tuple(differences))


def _tracks(entries: Iterable[Entry]) -> dict[str, list[str]]:
    tracks: dict[str, list[str]] = {}
    for one in entries:
        track = TRACKS.get(one.name)
        if track is not None and one.statement.stream == "log" and isinstance(one.statement, Event):
            tracks.setdefault(track, []).append(f"{one.name} {one.statement.word or ''}".strip().replace("_", " "))
    return tracks


def _told(track: str, after: int, old: Sequence[str], new: Sequence[str]) -> str:
    place = f"{track}, after {after} {'entry' if after == 1 else 'entries'}"
    if not new:
        return f"{place}: does not come any more: {', '.join(old)}"
    if not old:
        return f"{place}: is new: {', '.join(new)}"
    return f"{place}: instead of {', '.join(old)} came {', '.join(new)}"

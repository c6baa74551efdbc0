"""What counts as a failure to record (R29, D.4), when it began and when it was over. Pure: facts in, changes out.

A failure record belongs to one recording and one cause. It begins when the cause is seen, with the time since which it
was so, and ends when the cause has been gone for a while, or with its recording. docs/design/failure.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

NS: Final = 1_000_000_000
GONE_NS: Final = 2 * NS
"""A cause that is gone for so long is over."""
TOLD_LASTS_NS: Final = 7 * NS
"""What the recorder tells (a card that refuses, say) it tells again while it lasts, every 5 s at the latest."""
NOTHING_NS: Final = 4 * NS
"""A recording without one durable fragment so long after its trigger has failed."""
LOSSES_LAST_NS: Final = 10 * NS
"""Frames that are lost within so long of each other are one failure."""

COMPONENTS: Final[Mapping[str, str]] = {
    "camera_silent": "sensor",
    "encoder_stalled": "encoder",
    "picture_black": "sensor",
    "picture_frozen": "sensor",
    "microphone_dead": "microphone",
    "microphone_silent": "microphone",
    "frames_lost": "sensor",
    "nothing_on_disk": "recorder",
    "writer_behind": "storage",
    "storage_error": "storage",
    "storage_full": "storage",
    "signing_key": "signing_key",
    "key_failed": "signing_key",
    "clock_stepped": "clock",
    "recorder_restarted": "recorder",
    "power_lost": "power",
    "shutting_down": "recorder",
    "not_recorded": "recorder",
    "died_last_shift": "power",
}
"""Cause -> what failed."""
SILENT: Final = frozenset({"camera_silent", "encoder_stalled"})
WRITTEN_ONLY: Final = frozenset({"frames_lost", "clock_stepped"})
"""Signed, and in the supervisor's queue, but no alarm: the officer could do nothing about it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure record."""

    cause: str
    component: str
    recording: int | None
    """Number of the recording; None if there was none."""
    stem: str | None
    start_ns: int | None
    """CLOCK_BOOTTIME; None if it began in an earlier boot."""
    end_ns: int | None = None
    frames: int = 0
    """Frames that are missing for it, as far as they were counted."""
    told: bool = False
    """The officer was alarmed."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The recording in progress, as the detector sees it."""

    number: int
    stem: str
    started_ns: int
    durable: bool
    """Something of it is on disk."""
    lost_frames: int
    """So far."""
    behind: bool = False
    key_away: bool = False


@dataclass
class _Open:
    failure: Failure
    seen_ns: int
    """When the cause was last seen."""


@dataclass
class FailureBook:
    """The failures of one camera. `look` once a second, `told` when the recorder says something."""

    _open: dict[str, _Open] = field(default_factory=dict)
    _told: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Cause -> when the recorder first and last told it."""
    _recording: Recording | None = None

    def told(self, cause: str, now_ns: int) -> None:
        """The recorder told the officer that something is not recorded."""
        first_ns = self._told[cause][0] if cause in self._told else now_ns
        self._told[cause] = first_ns, now_ns

    def look(self, now_ns: int, recording: Recording | None, seen: Mapping[str, int]) -> list[Failure]:
        """What began (`end_ns` is None) and what ended. `seen` = causes that are there now -> since when."""
        changes: list[Failure] = []
        before, self._recording = self._recording, recording
        if before is not None and (recording is None or recording.number != before.number):
            changes += [self._end(cause, now_ns) for cause in tuple(self._open)]
            self._told.clear()
        if recording is None:
            self._told.clear()
            return changes
        lost = recording.lost_frames - (before.lost_frames if before and before.number == recording.number else 0)
        causes = self._causes(now_ns, recording, seen)
        self._count_lost(lost, now_ns, causes)
        for cause, since_ns in causes.items():
            known = self._open.get(cause)
            if known is None:
                start_ns = max(since_ns, recording.started_ns)
                told = cause not in WRITTEN_ONLY
                failure = Failure(cause, COMPONENTS[cause], recording.number, recording.stem, start_ns, told=told)
                self._open[cause] = _Open(replace(failure, frames=lost if cause == "frames_lost" else 0), now_ns)
                changes.append(self._open[cause].failure)
            else:
                known.seen_ns = now_ns
        for cause, one in tuple(self._open.items()):
            last_ns = LOSSES_LAST_NS if cause == "frames_lost" else GONE_NS
            if now_ns - one.seen_ns >= last_ns:
                changes.append(self._end(cause, one.seen_ns))
        return changes

    def _causes(self, now_ns: int, recording: Recording, seen: Mapping[str, int]) -> dict[str, int]:
        """All causes that are there now, without those that another one explains."""
        causes = {cause: since_ns for cause, since_ns in seen.items() if cause in COMPONENTS}
        if recording.behind:
            causes.setdefault("writer_behind", now_ns)
        if recording.key_away:
            causes.setdefault("signing_key", now_ns)
        for cause, (first_ns, last_ns) in self._told.items():
            if cause in COMPONENTS and cause not in SILENT and now_ns - last_ns < TOLD_LASTS_NS:
                causes.setdefault(cause, first_ns)
        if not recording.durable and now_ns - recording.started_ns >= NOTHING_NS and not causes:
            causes["nothing_on_disk"] = recording.started_ns
        return causes

    def _count_lost(self, lost: int, now_ns: int, causes: dict[str, int]) -> None:
        """Frames that are missing after a silence are that silence's; others are a failure of their own."""
        if lost <= 0:
            return
        silence = next((one for cause, one in self._open.items() if cause in SILENT), None)
        if silence is not None:
            silence.failure = replace(silence.failure, frames=silence.failure.frames + lost)
            return
        known = self._open.get("frames_lost")
        if known is not None:
            known.failure = replace(known.failure, frames=known.failure.frames + lost)
        causes["frames_lost"] = now_ns

    def _end(self, cause: str, end_ns: int) -> Failure:
        ended = self._open.pop(cause).failure
        return replace(ended, end_ns=max(end_ns, ended.start_ns or 0))

    @property
    def alarming(self) -> bool:
        """Whether the officer should feel it now."""
        return any(cause not in WRITTEN_ONLY for cause in self._open)

    @property
    def open(self) -> Iterable[Failure]:
        """What has not ended."""
        return [one.failure for one in self._open.values()]

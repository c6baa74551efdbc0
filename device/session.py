"""One recording from its trigger to its stop, as the recorder sees it: facts that go into the sealed metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from device.fragments import Fragment, Fragmenter
from device.recording_file import RecordingFile
from device.triggers import Start
from hal.gps import GpsEpoch

MAX_TRACK_POINTS: Final = 100_000


@dataclass
class Lost:
    """Fragments that could not be written, to be accounted for by one `gap`."""

    cause: str
    start_ns: int
    end_ns: int
    frames: int
    next_frame: int

    def extend(self, fragment: Fragment) -> None:
        self.end_ns = max(self.end_ns, fragment.frames[-1].captured_ns)
        self.frames += len(fragment.frames)
        self.next_frame = fragment.frames[-1].sequence + 1

    @classmethod
    def of(cls, cause: str, fragment: Fragment) -> Lost:
        first, last = fragment.frames[0], fragment.frames[-1]
        return cls(cause, first.captured_ns, last.captured_ns, len(fragment.frames), last.sequence + 1)


@dataclass
class Session:
    """The recording in progress."""

    file: RecordingFile
    started_ns: int
    """CLOCK_BOOTTIME of the trigger."""
    triggers: list[dict[str, Any]]
    fragmenter: Fragmenter = field(default_factory=Fragmenter)
    track: list[list[int | None]] = field(default_factory=list)
    """Rows of (received ns, latitude nd, longitude nd, altitude mm, receiver's UTC ns)."""
    timeline: list[list[Any]] = field(default_factory=list)
    lost: Lost | None = None
    last_sequence: int | None = None
    frames: int = 0
    alarmed: bool = False

    def note_epochs(self, epochs: tuple[GpsEpoch, ...]) -> None:
        """Keep the fixes for the closing metadata."""
        for epoch in epochs:
            if epoch.fix and len(self.track) < MAX_TRACK_POINTS:
                self.track.append(
                    [epoch.received_ns, epoch.latitude_nd, epoch.longitude_nd, epoch.altitude_mm, epoch.utc_ns]
                )

    def closing(self, reason: str) -> dict[str, Any]:
        """The closing metadata object."""
        return {
            "part": "closing",
            "reason": reason,
            "triggers": self.triggers,
            "track": self.track,
            "timeline": self.timeline,
            "stop_reason": None,
            "stop_reason_missing": reason == "record_button",
        }


def trigger_facts(start: Start) -> dict[str, Any]:
    """A trigger as it stands in the metadata."""
    return {
        "name": start.trigger,
        "at_ns": start.at_ns,
        "critical": start.critical,
        "manual": start.manual,
    }

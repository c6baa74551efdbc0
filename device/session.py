"""One recording from its trigger to its stop, as the recorder sees it: facts that go into the sealed metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from device.fragments import Fragment, Fragmenter
from device.losses import Gap, Losses
from device.mutes import Row, rows_until
from device.recording_file import RecordingFile
from device.triggers import Start
from evidence.statements import MediaFacts, larger_offset
from hal.camera import EncodedFrame
from hal.gps import GpsEpoch

MAX_TRACK_POINTS: Final = 100_000
SILENT_NS: Final = 1_000_000_000
"""A recording without a new frame for this long is told to the officer (invariant 1)."""
BEHIND_NS: Final = 2_000_000_000
"""A fragment that waits longer for the card is told to the officer (invariant 3)."""


@dataclass
class Session:
    """The recording in progress. Changed under the recorder's lock, but for `losses` and `waiting`."""

    file: RecordingFile
    started_ns: int
    """CLOCK_BOOTTIME of the trigger."""
    triggers: list[dict[str, Any]]
    losses: Losses
    fragmenter: Fragmenter = field(default_factory=Fragmenter)
    track: list[list[int | None]] = field(default_factory=list)
    """Rows of (received ns, latitude nd, longitude nd, altitude mm, receiver's UTC ns)."""
    timeline: list[list[Any]] = field(default_factory=list)
    waiting: dict[int, int] = field(default_factory=dict)
    """When each fragment that is not yet durable was queued: first frame number -> CLOCK_BOOTTIME."""
    last_frame: EncodedFrame | None = None
    frames: int = 0
    bytes: int = 0
    """About how many bytes its file has on the card."""
    earlier: tuple[tuple[int, str], ...] = ()
    """(number, stem) of the files from which the same recording went on, oldest first (R22)."""
    incident: str = ""
    """What it belongs to: the stem of the incident's first recording, or the incident of a peer (R23)."""
    channel: str | None = None
    """Which camera of a vehicle it shows; None for a camera that is alone (R2)."""
    group: int | None = None
    """Number of the lead's recording that was begun with it; None for a camera that is alone."""
    began_ns: int | None = None
    """Capture time of its first frame."""
    ended_ns: int | None = None
    """CLOCK_BOOTTIME at which it was stopped, or went on in the next file."""
    mutes: list[Row] = field(default_factory=list)
    """When the sound was muted, from the ring's first frame on."""
    alarmed: bool = False
    behind: bool = False
    key_away: bool = False
    lost_frames: int = 0
    """Frames that the source counted and did not deliver."""
    durable_ns: int | None = None
    """When a fragment last became durable, CLOCK_BOOTTIME."""
    sound_offset_us: int | None = None
    """The largest one so far of what is durable."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What the daemon's parts add to the closing metadata."""

    def belongs(self) -> dict[str, Any]:
        """What the opening metadata says about its place among others, and about the mutes of the ring."""
        channel = {"channel": self.channel} if self.channel is not None else {}
        return {
            "triggers": list(self.triggers),
            "incident": self.incident,
            "mutes": [list(row) for row in self.mutes],
            **channel,
        }

    def continued(self, file: RecordingFile, at_ns: int) -> Session:
        """The same recording in its next file, whose first frame was captured at that instant."""
        new = Session(
            file, at_ns, list(self.triggers), file.losses,
            incident=self.incident, channel=self.channel, group=self.group,
            mutes=[row for row in self.mutes if row[1] is None or row[1] > at_ns],
        )  # fmt: skip
        new.earlier = (*self.earlier, (self.file.number, self.file.stem))
        new.last_frame = self.fragmenter.last_frame or self.last_frame  # a hole between the files is a gap of the new
        new.fragmenter.extend(*self.fragmenter.take_from(at_ns))
        return new

    def start_again(self) -> Start:
        """The trigger as the next file's `open` needs it: critical if any of the triggers so far was."""
        first = self.triggers[0]
        critical = any(one["critical"] for one in self.triggers)
        return Start(first["name"], critical, self.started_ns, first["manual"])

    def note_frame(self, frame: EncodedFrame) -> None:
        """Find what is missing between the frame before and this one. Frames come in order."""
        last, self.last_frame = self.last_frame, frame
        if last is None:
            if frame.captured_ns - self.started_ns > SILENT_NS:
                self.losses.add(Gap("camera_silent", self.started_ns, frame.captured_ns, 0))
            return
        missing = frame.sequence - last.sequence - 1
        if missing > 0:
            self.lost_frames += missing
            self.losses.add(Gap("frames_lost", last.captured_ns, frame.captured_ns, missing))
        elif frame.captured_ns - last.captured_ns > SILENT_NS:
            self.losses.add(Gap("camera_silent", last.captured_ns, frame.captured_ns, 0))

    def note_durable(self, facts: MediaFacts, now_ns: int) -> None:
        """A fragment is durable (writer thread)."""
        self.durable_ns = now_ns
        self.sound_offset_us = larger_offset(self.sound_offset_us, facts.sound_offset_us)

    def troubles(self, now_ns: int, last_frame_ns: int | None) -> list[str]:
        """What is newly wrong with it: no frames, a card that is behind, a key that does not sign."""
        silent = now_ns - max(self.started_ns, last_frame_ns or 0) > SILENT_NS
        behind = now_ns - min(tuple(self.waiting.values()), default=now_ns) > BEHIND_NS
        away = self.file.key_away
        found = []
        if silent and not self.alarmed:
            found.append("camera_silent")
        if behind and not self.behind:
            found.append("writer_behind")
        if away and not self.key_away:
            found.append("signing_key")
        self.alarmed, self.behind, self.key_away = silent, behind, away
        return found

    def note_end(self, now_ns: int) -> None:
        """A camera that is silent at the stop was silent since its last frame."""
        self.ended_ns = now_ns
        last_ns = self.last_frame.captured_ns if self.last_frame is not None else self.started_ns
        if now_ns - last_ns > SILENT_NS:
            self.losses.add(Gap("camera_silent", last_ns, now_ns, 0))

    def note_epochs(self, fragment: Fragment) -> None:
        """Keep the fixes for the closing metadata."""
        for epoch in fragment.epochs:
            if epoch.fix and len(self.track) < MAX_TRACK_POINTS:
                self.track.append(_row(epoch))

    def closing(self, reason: str) -> dict[str, Any]:
        """The closing metadata object."""
        return {
            "part": "closing",
            "reason": reason,
            "triggers": self.triggers,
            "track": self.track,
            "timeline": self.timeline,
            "mutes": rows_until(self.mutes, self.ended_ns if self.ended_ns is not None else 2**62),
            "stop_reason": None,
            "stop_reason_missing": reason == "record_button",
            **self.extra,
        }


def _row(epoch: GpsEpoch) -> list[int | None]:
    return [epoch.received_ns, epoch.latitude_nd, epoch.longitude_nd, epoch.altitude_mm, epoch.utc_ns]


def is_known(start: Start, triggers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether that trigger stands there already; a peer of another incident is another trigger (R23)."""
    return any(one["name"] == start.trigger and one.get("incident") == start.incident for one in triggers)


def trigger_facts(start: Start) -> dict[str, Any]:
    """A trigger as it stands in the metadata."""
    return {
        "name": start.trigger,
        "at_ns": start.at_ns,
        "kind": start.kind,
        "source": start.source,
        "critical": start.critical,
        "manual": start.manual,
        **({"incident": start.incident} if start.incident is not None else {}),
    }

"""What an export found while it read a recording: the material of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence.export.mp4 import Counted
from evidence.gpmf import GpsPoint
from evidence.statements import MediaFacts, larger_offset


@dataclass(slots=True)
class Stretch:
    """A stretch of recorded time in which sound and GPS fix did not change between there and not there."""

    start_ns: int
    end_ns: int
    sound: bool
    fix: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One of the receiver's own points. Degrees as nanodegrees; `at_ns` is CLOCK_BOOTTIME."""

    at_ns: int
    latitude_nd: int
    longitude_nd: int


@dataclass(slots=True)
class Contents:
    """Grows with the recording by some hundred bytes a second; pictures and sound are never kept."""

    statements: list[dict[str, Any]] = field(default_factory=list)
    """All but the `sealed` ones, with the octets where they stand in the file."""
    metadata: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    sound_frames: int = 0
    gps_points: int = 0
    sound_offset_us: int | None = None
    """The largest that any exported fragment states (`MediaFacts`), either way."""
    discrepancies: list[str] = field(default_factory=list)
    """Where content and statements disagree, or what could not be read (only with force)."""
    stretches: list[Stretch] = field(default_factory=list)
    places: list[list[Place]] = field(default_factory=list)
    """The track, in pieces that were not interrupted by a lost fix or a hole."""
    fragments: int = 0
    fragments_left_out: int = 0
    """Fragments outside of the part that was asked for."""
    first_ns: int | None = None
    """CLOCK_BOOTTIME of the first exported picture, and where it stands in the MP4 in seconds."""
    first_at_s: float = 0.0
    end_ns: int | None = None

    def take(self, facts: MediaFacts | None, counted: Counted, points: Sequence[GpsPoint], begin_s: float) -> None:
        """Count one exported fragment."""
        self.fragments += 1
        self.frames += counted.frames
        self.sound_frames += counted.sound_frames
        self.gps_points += len(points)
        if facts is None:
            return
        self.sound_offset_us = larger_offset(self.sound_offset_us, facts.sound_offset_us)
        if self.first_ns is None:
            self.first_ns, self.first_at_s = facts.start_ns, begin_s
        hole = self.end_ns is not None and facts.start_ns > self.end_ns + 10**9
        self.end_ns = facts.start_ns + facts.duration_ns
        self._stretch(Stretch(facts.start_ns, self.end_ns, counted.sound_frames > 0, bool(points)))
        self._place(points, facts.start_ns, interrupted=hole)

    def _stretch(self, new: Stretch) -> None:
        last = self.stretches[-1] if self.stretches else None
        near = last is not None and new.start_ns <= last.end_ns + 10**8
        if last is not None and near and (last.sound, last.fix) == (new.sound, new.fix):
            last.end_ns = new.end_ns
        else:
            self.stretches.append(new)

    def _place(self, points: Sequence[GpsPoint], start_ns: int, *, interrupted: bool) -> None:
        if (interrupted or not points) and self.places and self.places[-1]:
            self.places.append([])
        if points and not self.places:
            self.places.append([])
        for point in points:
            at_ns = point.received_ns if point.received_ns is not None else start_ns
            self.places[-1].append(Place(at_ns, point.latitude_nd, point.longitude_nd))

    def in_file_s(self, at_ns: int) -> float:
        """Where an instant stands in the exported MP4."""
        return (at_ns - (self.first_ns or 0)) / 10**9 + self.first_at_s

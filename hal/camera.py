"""The camera seam: a source of encoded pictures.

A driver delivers whole H.264 access units on a thread of its own. It must call back quickly, in capture order, and
must never block in the callback. Silence is how a dead sensor looks: whoever listens watches the time of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

SourceKind = Literal["real", "simulated", "clip", "training"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where pictures or sound come from. Stands in the signed `open` statement (design, invariant 11)."""

    driver: str
    """Entry point name, e.g. ``simulated-scene``."""
    sensor: str
    """The sensor's own identification, or the file's name for a clip. At most 128 characters."""
    kind: SourceKind


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the camera delivers. ``frame_rate`` is nominal, in frames per second."""

    width: int
    height: int
    frame_rate: float
    codec: Literal["h264"] = "h264"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One access unit as it left the encoder."""

    data: bytes
    """H.264 Annex B with start codes. A key frame is an IDR and carries SPS and PPS in front of its slices."""
    keyframe: bool
    captured_ns: int
    """CLOCK_BOOTTIME at capture, in nanoseconds. Strictly increasing."""
    sequence: int
    """The source's own count of captured frames, from 0. A hole means that the source lost frames."""


class Camera(Protocol):
    """One picture source with its encoder: closed GOPs of one second, no B-frames, SPS/PPS before every IDR."""

    @property
    def info(self) -> SourceInfo: ...

    @property
    def format(self) -> VideoFormat: ...

    def start(self, on_frame: Callable[[EncodedFrame], None], on_fault: Callable[[str], None]) -> None:
        """Begin to deliver. `on_fault` takes one sentence; frames may or may not go on after it."""
        ...

    def stop(self) -> None:
        """Stop delivering and release the device. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """What the sensor sees, small enough to be looked at in plain Python: luma only, row by row."""

    width: int
    """64 to 128 pixels."""
    height: int
    luma: bytes
    """width x height octets, 0 = black."""
    captured_ns: int
    """CLOCK_BOOTTIME at capture, in nanoseconds."""


@runtime_checkable
class ShowsPictures(Protocol):
    """A camera that also gives small pictures, for picture checks (a low-resolution stream)."""

    def small_picture(self) -> SmallPicture | None:
        """The newest one, at most about a second old while the sensor works; None before the first. Never blocks."""
        ...


@runtime_checkable
class AdjustsBitrate(Protocol):
    """A camera whose encoder can be told to use fewer bits while it runs."""

    def set_bitrate_percent(self, percent: int) -> None:
        """Share of the configured bit rate from now on, 10 to 100. Any thread."""
        ...

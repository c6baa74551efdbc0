"""A video file played in a loop: its pictures by time, its sound as one endless stream of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from hal.errors import BadDriverOption
from simulator.drivers.picture import Picture, plane_view
from simulator.video_file import open_media

Samples = npt.NDArray[np.float32]
"""Mono samples, full scale = 1.0."""

_LARGEST = (1280, 720)
_SMALLEST = (128, 96)
_FASTEST = Fraction(30)
_SENSOR_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Clip:
    """What a file holds. `open_clip` reads it."""

    path: Path
    width: int
    """Of the pictures that are delivered: even, at most 1280x720, at least 128x96; 0 without video."""
    height: int
    frame_rate: Fraction
    """At most 30 a second."""
    length_s: float | None
    """One turn of the loop, for picture and sound alike; None if the file does not say."""
    has_video: bool
    has_sound: bool

    @property
    def sensor(self) -> str:
        return self.path.name[-_SENSOR_CHARACTERS:]


def open_clip(clip: str) -> Clip:
    """Look into a file. Raises `BadDriverOption` if it is missing, or nothing in it can be decoded."""
    if not isinstance(clip, str) or not clip:
        raise BadDriverOption(f"clip = {clip!r}: give the path of a video file")
    path = Path(clip)
    if not path.is_file():
        raise BadDriverOption(f"clip = {clip!r}: there is no such file")
    try:
        with open_media(path) as container:
            has_sound = bool(container.streams.audio)
            if not container.streams.video:
                return Clip(path, 0, 0, _FASTEST, None, has_video=False, has_sound=has_sound)
            stream = container.streams.video[0]
            first = next(container.decode(stream), None)
            if first is None:
                raise BadDriverOption(f"clip = {clip!r}: not a single picture can be decoded")
            rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            length_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
            width, height = _delivered_size(first.width, first.height)
            return Clip(path, width, height, min(max(rate, Fraction(1)), _FASTEST), length_s, True, has_sound)
    except av.error.FFmpegError as error:
        raise BadDriverOption(f"clip = {clip!r}: not a video that can be read ({error.strerror})") from error


class ClipPictures:
    """The pictures of a clip by time, looped for ever."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._upcoming = self._looped()
        self._next: tuple[float, VideoFrame] | None = None
        self._last = Picture(clip.width, clip.height)

    def paint(self, picture: Picture, time_s: float) -> None:
        """Fill the picture with what the clip shows `time_s` seconds after its start. Time never goes back.

        Raises `BadDriverOption` if the file has become unreadable.
        """
        shown: VideoFrame | None = None
        while self._next is None or self._next[0] <= time_s:
            if self._next is not None:
                shown = self._next[1]
            self._next = next(self._upcoming)
        if shown is not None:
            scaled = shown.reformat(width=picture.width, height=picture.height, format="yuv420p")
            for mine, theirs in zip((self._last.y, self._last.u, self._last.v), scaled.planes, strict=True):
                np.copyto(mine, plane_view(theirs))
        picture.copy_from(self._last)  # always whole: strip and caption were written into the one before

    def _looped(self) -> Iterator[tuple[float, VideoFrame]]:
        turn_s = 0.0
        while True:
            end_s = 0.0
            for at_s, frame in self._once():
                end_s = at_s + float(1 / self._clip.frame_rate)
                if self._clip.length_s is None or at_s < self._clip.length_s:
                    yield turn_s + at_s, frame
            turn_s += self._clip.length_s or end_s

    def _once(self) -> Iterator[tuple[float, VideoFrame]]:
        """Pictures with their seconds since the first one; what does not decode is skipped."""
        first_s: float | None = None
        number = 0
        try:
            with open_media(self._clip.path) as container:
                for frame in container.decode(container.streams.video[0]):
                    at_s = frame.time if frame.time is not None else float(number / self._clip.frame_rate)
                    first_s = at_s if first_s is None else first_s
                    number += 1
                    yield at_s - first_s, frame
        except av.error.FFmpegError as error:
            if number == 0:
                raise BadDriverOption(f"clip {self._clip.path}: cannot be read any more ({error.strerror})") from error
            # A damaged tail: begin again with what could be played.
        if number == 0:
            raise BadDriverOption(f"clip {self._clip.path}: holds no picture any more")


class ClipSamples:
    """The sound of a clip as mono samples, looped for ever, each turn as long as the pictures'."""

    def __init__(self, clip: Clip, sample_rate: int) -> None:
        self._clip = clip
        self._rate = sample_rate
        self._turns = self._looped()
        self._kept: Samples = np.zeros(0, dtype=np.float32)

    def take(self, count: int) -> Samples:
        """The next `count` samples. Raises `BadDriverOption` if the file has become unreadable."""
        while len(self._kept) < count:
            self._kept = np.concatenate([self._kept, next(self._turns)])
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken

    def _looped(self) -> Iterator[Samples]:
        turn = None if self._clip.length_s is None else round(self._clip.length_s * self._rate)
        while True:
            played = 0
            for samples in self._once():
                fitting = samples if turn is None else samples[: max(0, turn - played)]
                played += len(fitting)
                yield fitting
            if turn is not None and played < turn:
                yield np.zeros(turn - played, dtype=np.float32)
            elif played == 0:
                raise BadDriverOption(f"clip {self._clip.path}: no sound in it can be decoded")

    def _once(self) -> Iterator[Samples]:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=self._rate)
        try:
            with open_media(self._clip.path) as container:
                for frame in container.decode(container.streams.audio[0]):
                    frame.pts = None  # holes in the file's time are not filled
                    for resampled in resampler.resample(frame):
                        yield resampled.to_ndarray().reshape(-1).astype(np.float32)
                for resampled in resampler.resample(None):
                    yield resampled.to_ndarray().reshape(-1).astype(np.float32)
        except av.error.FFmpegError:
            return  # a damaged tail: the rest of this turn is silent


def _delivered_size(width: int, height: int) -> tuple[int, int]:
    """Even, inside 1280x720 with the same shape, and large enough for the strip."""
    scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
    return (
        max(_SMALLEST[0], 2 * int(width * scale / 2)),
        max(_SMALLEST[1], 2 * int(height * scale / 2)),
    )

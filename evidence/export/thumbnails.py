"""A few small still pictures out of a finished MP4, as JPEG: decoded only for looking at, never evidence themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

WIDTH: Final = 320
COUNT: Final = 6


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One still; `at_s` is its place in the MP4."""

    at_s: float
    jpeg: bytes


def _jpeg(frame: av.VideoFrame) -> bytes:
    height = max(2, round(frame.height * WIDTH / frame.width / 2) * 2)
    small = frame.reformat(width=WIDTH, height=height, format="yuvj420p")
    small.pts = None
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, height, "yuvj420p"
    encoder.time_base, encoder.options = Fraction(1, 1), {"qmin": "4", "qmax": "6"}
    return b"".join(bytes(packet) for source in (small, None) for packet in encoder.encode(source))


def evenly(duration_s: float, count: int = COUNT) -> list[float]:
    """The middles of `count` equal parts."""
    return [(number + 0.5) * duration_s / count for number in range(count)]


def thumbnails(path: Path, times_s: Sequence[float]) -> list[Thumbnail]:
    """The first picture shown at or after each time; those that cannot be decoded are left out."""
    made: list[Thumbnail] = []
    for at_s in times_s:
        try:
            with av.open(str(path)) as file:
                stream = file.streams.video[0]
                assert stream.time_base is not None
                file.seek(int(at_s / stream.time_base), stream=stream)
                last: av.VideoFrame | None = None
                for frame in file.decode(stream):
                    last = frame
                    if frame.time is not None and frame.time >= at_s:
                        break
                if last is not None and last.time is not None:
                    made.append(Thumbnail(last.time, _jpeg(last)))
        except (FFmpegError, IndexError):
            continue
    return made

"""Name every frame of a video by the strip that the simulated camera burned in (``firsthand-sim read-frames``)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from simulator import strip
from simulator.video_file import open_media

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

EXIT_OK = 0
EXIT_SOME_UNREADABLE = 1
EXIT_FILE_UNREADABLE = 2
EXIT_USAGE = 64


class VideoUnreadable(Exception):
    """The file is missing, or holds no video that can be decoded."""


@dataclass(frozen=True, slots=True)
class FrameReading:
    """One picture of the file, in order of presentation."""

    index: int
    """Place in the file, from 0."""
    pts_s: float | None
    """Presentation time in seconds, None where the file has none (a bare H.264 stream)."""
    frame: int | None
    """The camera's frame number modulo 2**21; None if the strip cannot be read."""
    ms: int | None
    """Milliseconds since midnight UTC at capture; None if the strip cannot be read."""
    ok: bool


def read_frames(path: Path | str) -> Iterator[FrameReading]:
    """Decode the first video stream and read the strip of each picture.

    A packet that does not decode counts as one unreadable frame. Raises `VideoUnreadable` if the file cannot be
    opened, holds no video, or yields not a single picture.
    """
    file = Path(path)
    if not file.is_file():
        raise VideoUnreadable(f"{file}: no such file")
    index = 0
    decoded = False
    try:
        with open_media(file) as container:
            if not container.streams.video:
                raise VideoUnreadable(f"{file}: holds no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # frame threads would blame a broken packet on a later one
            for packet in container.demux(stream):
                try:
                    pictures = packet.decode()
                except av.error.InvalidDataError:
                    pts_s = None if packet.pts is None else float(packet.pts * packet.time_base)
                    yield FrameReading(index, pts_s, None, None, ok=False)
                    index += 1
                    continue
                for picture in pictures:
                    decoded = True
                    yield _reading(index, picture)
                    index += 1
    except av.error.FFmpegError as error:
        raise VideoUnreadable(f"{file}: not a video that can be read ({error.strerror})") from error
    if not decoded:
        raise VideoUnreadable(f"{file}: not a single picture could be decoded")


def _reading(index: int, picture: VideoFrame) -> FrameReading:
    planar = picture if picture.format.name in {"yuv420p", "yuvj420p"} else picture.reformat(format="yuv420p")
    plane = planar.planes[0]
    luma = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[
        : planar.height, : planar.width
    ]
    seen = strip.read(luma)
    pts_s = None if picture.time is None else round(picture.time, 6)
    if not seen.ok:
        return FrameReading(index, pts_s, None, None, ok=False)
    return FrameReading(index, pts_s, seen.frame, seen.ms, ok=True)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add ``read-frames`` to the simulator's command line; `run` does the work."""
    parser = subparsers.add_parser(
        "read-frames",
        help="name every frame of a video by the strip burned into it",
        description="Decode a video of a simulated camera and print number and time of every frame. "
        "Exit code: 0 every frame was read, 1 some were not, 2 the file cannot be read.",
    )
    _add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the table (or JSON) for ``args.file``; returns the exit code."""
    try:
        readings = list(read_frames(args.file))
    except VideoUnreadable as error:
        print(f"read-frames: {error}", file=sys.stderr)
        return EXIT_FILE_UNREADABLE
    unreadable = sum(not reading.ok for reading in readings)
    if args.json:
        print(json.dumps([dataclasses.asdict(reading) for reading in readings]))
    else:
        _print_table(readings)
        print(f"{len(readings)} frames, {unreadable} unreadable", file=sys.stderr)
    return EXIT_SOME_UNREADABLE if unreadable else EXIT_OK


def main(argv: list[str] | None = None) -> int:
    """The command by itself: ``FILE [--json]``. Exit codes as `run`, 64 for wrong usage."""
    parser = argparse.ArgumentParser(prog="read-frames", description="Name every frame of a simulated camera's video.")
    _add_arguments(parser)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        return EXIT_USAGE if stop.code else EXIT_OK
    return run(args)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="an MP4, or anything else that FFmpeg decodes")
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of a table")


def _print_table(readings: list[FrameReading]) -> None:
    print(f"{'index':>6}  {'pts_s':>10}  {'frame':>8}  utc")
    for reading in readings:
        pts = "-" if reading.pts_s is None else f"{reading.pts_s:.3f}"
        if reading.frame is None or reading.ms is None:
            print(f"{reading.index:>6}  {pts:>10}  {'?':>8}  unreadable")
        else:
            print(f"{reading.index:>6}  {pts:>10}  {reading.frame:>8}  {_clock_text(reading.ms)}")


def _clock_text(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"

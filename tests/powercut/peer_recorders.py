"""Recorders that others wrote, each on a recorded card of its own, fed with one stream in real time.

They are given what is best for them: fragments of a second, packets flushed at once, segments of ten seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import av

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "benchmarks"))

import replay  # noqa: E402
from recorded_card import RecordedCard, boottime_ns  # noqa: E402

from hal.camera import EncodedFrame  # noqa: E402

RATE: Final = replay.RATE
SIZE: Final = (640, 360)
BITRATE: Final = 1_500_000
SEGMENT_S: Final = 10
END_S: Final = 20
_FFMPEG: Final = (
    f"ffmpeg -v error -f h264 -probesize 65536 -analyzeduration 0 -framerate {replay.RATE} -i pipe:0 -c copy"
)
_SEGMENT: Final = f"-f segment -segment_time {SEGMENT_S} -flush_packets 1 -segment_format mp4"
_FRAGMENTS: Final = "-segment_format_options movflags=+frag_keyframe+empty_moov+default_base_moof"
_TO_TS: Final = f"{_FFMPEG} -flush_packets 1 -f mpegts pipe:1"
"""GStreamer's muxer wants a time on each picture, and a bare stream has none."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to record."""

    name: str
    command: Callable[[Path], list[str]]
    """Records standard input into a directory."""
    needs: str
    """The program without which it cannot be tried."""

    @property
    def here(self) -> bool:
        return shutil.which(self.needs) is not None


def _ffmpeg(options: str) -> Callable[[Path], list[str]]:
    return lambda out: [*_FFMPEG.split(), *options.split(), str(out / "%05d.mp4")]


def _splitmux(out: Path) -> list[str]:
    sink = f"splitmuxsink location={out}/%05d.mp4 max-size-time={SEGMENT_S * 10**9} muxer-factory=mp4mux"
    muxer = "muxer-properties=properties,fragment-duration=1000"
    pipeline = f"gst-launch-1.0 -q -e fdsrc fd=0 ! tsdemux ! h264parse ! {sink} {muxer}"
    return ["sh", "-c", f"{_TO_TS} | {pipeline}"]


PEERS: Final = (
    Peer("ffmpeg_segment_fragmented", _ffmpeg(f"{_SEGMENT} {_FRAGMENTS}"), "ffmpeg"),
    Peer("ffmpeg_segment_plain", _ffmpeg(_SEGMENT), "ffmpeg"),
    Peer("gst_splitmuxsink", _splitmux, "gst-launch-1.0"),
)


def stream_file() -> Path:
    """What all of them record, as bare H.264; made once."""
    return replay.encode(replay.BUILD / f"{SIZE[1]}p.h264", width=SIZE[0], height=SIZE[1], bitrate=BITRATE)


@dataclass
class Feed:
    """One stream for all, in real time; which picture was handed over when."""

    seconds: int
    instants_ns: list[int] = field(default_factory=list)

    def run(self, pipes: list[IO[bytes]]) -> None:
        """Write each picture to each pipe at its time."""
        stream = replay.Stream(stream_file())
        begun, pause = time.monotonic(), threading.Event()
        for number in range(self.seconds * replay.RATE):
            pause.wait(max(0.0, begun + number / replay.RATE - time.monotonic()))
            frame: EncodedFrame = stream.frame(number, boottime_ns())
            for pipe in pipes:
                with contextlib.suppress(BrokenPipeError):
                    pipe.write(b"\0\0\0\x01\x09\xf0" + frame.data)
                    pipe.flush()
            self.instants_ns.append(boottime_ns())

    def given_by(self, at_ns: int) -> int:
        """How many pictures the recorders had by then."""
        return sum(1 for one in self.instants_ns if one <= at_ns)


@contextlib.contextmanager
def recording(peer: Peer, card: RecordedCard) -> Iterator[IO[bytes]]:
    """The peer at work; its standard input. At the end it may close its file in peace."""
    out = card.place / "out"
    out.mkdir()
    with (card.directory / "peer.log").open("wb") as log:
        process = subprocess.Popen(peer.command(out), stdin=subprocess.PIPE, stdout=log, stderr=log)
    assert process.stdin is not None
    try:
        yield process.stdin
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pictures_in(path: Path) -> int:
    """How many pictures of a file a player gets to see; 0 if it does not open."""
    found = 0
    try:
        with av.open(str(path), "r") as container:
            for packet in container.demux(video=0):
                data = bytes(packet)
                if not data or not _whole(data):
                    break
                found += 1
    except (av.FFmpegError, ValueError, IndexError):
        pass
    return found


def _whole(data: bytes) -> bool:
    """NAL units with their lengths before them, which fill the packet: a hole in the file reads as zeros."""
    at = 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at : at + 4])
        if not size:
            return False
        at += 4 + size
    return at == len(data)


def files(directory: Path) -> list[Path]:
    """What was recorded, in order."""
    return sorted(Path(one.path) for one in os.scandir(directory)) if directory.is_dir() else []

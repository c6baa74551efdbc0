"""An encoded stream that is played again: what a camera's encoder would hand over, without the cost of encoding.

The stream is drawn and encoded once by ffmpeg (1080p30, 8 Mbit/s, closed groups of a second, one slice a picture) and
kept in build/bench/. `Stream` cuts it into access units; `ReplayCamera` is a `hal.camera.Camera` that plays them in
real time, round and round, each one copied out of the file as a driver copies it out of the encoder's buffer.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hal.camera import EncodedFrame, SourceInfo, VideoFormat

BUILD = Path(__file__).resolve().parent.parent / "build" / "bench"
RATE = 30
SECONDS = 60
BITRATE = 8_000_000
BUFFERS = 6
"""Frames that may wait for the driver's thread before one is lost."""
_DELIMITER = b"\x00\x00\x00\x01\x09"


def stream(mbit: float = BITRATE / 1e6) -> Path:
    """The stream of so many Mbit/s, encoded if nobody did before."""
    name = "1080p30.h264" if mbit == BITRATE / 1e6 else f"1080p30-{mbit:g}mbit.h264"
    return encode(BUILD / name, bitrate=round(mbit * 1e6))


def encode(path: Path, *, width: int = 1920, height: int = 1080, bitrate: int = BITRATE) -> Path:
    """The stream as a raw .h264 file; made once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scene = f"testsrc2=size={width}x{height}:rate={RATE},noise=alls=12:allf=t"
        command = f"ffmpeg -v error -y -f lavfi -i {scene} -t {SECONDS} -c:v libx264 -preset ultrafast -pix_fmt yuv420p"
        command += f" -b:v {bitrate} -maxrate {bitrate} -bufsize {bitrate} -g {RATE} -keyint_min {RATE} -sc_threshold 0"
        command += " -bf 0 -x264-params slices=1:sliced-threads=0:aud=1:repeat-headers=1 -f h264"
        part = path.with_suffix(".part")
        subprocess.run([*command.split(), str(part)], check=True)
        part.rename(path)
    return path


def index(path: Path) -> list[tuple[int, int, bool]]:
    """Start, end and key frame mark of each access unit, without its delimiter; kept beside the stream."""
    beside = path.with_suffix(".index.json")
    if not beside.exists():
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            starts = []
            at = data.find(_DELIMITER)
            while at >= 0:
                starts.append(at)
                at = data.find(_DELIMITER, at + 5)
            ranges = list(zip(starts, [*starts[1:], len(data)], strict=True))
            rows = [(one + 6, end, b"\x00\x00\x01\x67" in data[one : one + 64]) for one, end in ranges]
        beside.write_text(json.dumps(rows))
    return [(start, end, key) for start, end, key in json.loads(beside.read_text())]


class Stream:
    """The access units of a file, by number. Nothing but the index is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._units = index(path)
        self._path = path
        self._file: int | None = None
        self.bytes = sum(end - start for start, end, _ in self._units)

    def __len__(self) -> int:
        return len(self._units)

    def frame(self, number: int, captured_ns: int) -> EncodedFrame:
        """One access unit, copied out of memory that is not this process's, so that no disk holds the source up."""
        if self._file is None:
            self._file = os.memfd_create("stream")
            with self._path.open("rb") as file, os.fdopen(os.dup(self._file), "wb") as memory:
                shutil.copyfileobj(file, memory, 2**20)
        start, end, key = self._units[number % len(self._units)]
        return EncodedFrame(os.pread(self._file, end - start, start), key, captured_ns, number)


class ReplayCamera:
    """A camera that plays a stream in real time. It loses what waits longer than its buffers last, as a sensor does.

    `handed` names a file in memory in which the byte at a frame's number becomes 1 once that frame was handed over.
    """

    def __init__(self, path: str, width: int = 1920, height: int = 1080, handed: str | None = None) -> None:
        self._stream = Stream(Path(path))
        self._size = width, height
        self._handed = None if handed is None else os.open(handed, os.O_WRONLY)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> SourceInfo:
        return SourceInfo("replay", "benchmark", "simulated")

    @property
    def format(self) -> VideoFormat:
        return VideoFormat(*self._size, float(RATE))

    def start(self, on_frame: Callable[[EncodedFrame], None], on_fault: Callable[[str], None]) -> None:  # noqa: ARG002
        self._thread = threading.Thread(target=self._play, args=(on_frame,), name="replay", daemon=True)
        self._thread.start()

    def _play(self, on_frame: Callable[[EncodedFrame], None]) -> None:
        self._stream.frame(0, 0)
        began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        number = 0
        while True:
            due_ns = began_ns + number * 1_000_000_000 // RATE
            wait_ns = due_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            if wait_ns < -BUFFERS * 1_000_000_000 // RATE:
                number += -wait_ns * RATE // 1_000_000_000
                continue
            if self._stop.wait(max(0, wait_ns) / 1e9):
                return
            on_frame(self._stream.frame(number, due_ns))
            if self._handed is not None:
                os.pwrite(self._handed, b"\x01", number)
            number += 1

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

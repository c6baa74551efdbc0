"""`motion` on a recorded card: it plays a film of its own as its camera, in real time, and records all of it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from peer_recorders import END_S, RATE, SEGMENT_S, SIZE, files, pictures_in, stream_file
from recorded_card import RecordedCard, boottime_ns

BEGIN_S: Final = 30
_SETTINGS: Final = f"""
daemon off
width {SIZE[0]}
height {SIZE[1]}
framerate {RATE}
emulate_motion on
movie_output on
movie_codec mp4
movie_max_time {SEGMENT_S}
movie_filename %Y%m%d%H%M%S
picture_output off
webcontrol_port 0
stream_port 0
log_level 4
"""


def here() -> bool:
    """Whether it is installed."""
    return shutil.which("motion") is not None


@dataclass
class MotionFeed:
    """What motion had of its film by when: it takes pictures evenly while it records."""

    begun_ns: int = 0
    ended_ns: int = 0
    pictures: int = 0
    """How many are in its files once it has closed them."""

    def given_by(self, at_ns: int) -> int:
        """How many pictures it had by then."""
        part = (min(at_ns, self.ended_ns) - self.begun_ns) / max(1, self.ended_ns - self.begun_ns)
        return max(0, int(self.pictures * part))


@contextlib.contextmanager
def motion(card: RecordedCard) -> Iterator[MotionFeed]:
    """Motion at work; when the context ends it closes its files in peace, and what it had taken is known."""
    out, film, feed = card.place / "out", card.directory / "film.mp4", MotionFeed()
    out.mkdir()
    make = ["ffmpeg", "-v", "error", "-framerate", str(RATE), "-i", str(stream_file()), "-c", "copy", str(film)]
    subprocess.run(make, check=True)
    settings = card.directory / "motion.conf"
    settings.write_text(f"{_SETTINGS}netcam_url file://{film}\ntarget_dir {out}\n")
    with (card.directory / "motion.log").open("wb") as log:
        process = subprocess.Popen(["motion", "-n", "-c", str(settings)], stdout=log, stderr=log)
    try:
        end, pause = time.monotonic() + BEGIN_S, threading.Event()
        while not files(out) and time.monotonic() < end:
            pause.wait(0.02)
        feed.begun_ns = boottime_ns()
        yield feed
        feed.ended_ns = boottime_ns()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    feed.pictures = sum(pictures_in(path) for path in files(out))

"""Frames lost while others take the processors, and while the card stands still; flushes a minute. On the real daemon.

    sudo python benchmarks/under_stress.py [--seconds 30] [--stall-s 10]

1080p30 at 8 Mbit/s. Load: one busy process more than there are processors, at the daemon's own priority. Stall: the
card's file system is frozen (`fsfreeze`) in mid-recording, so that every write waits, and thawed again. Lost is what
the signed file says: holes between frame numbers and frames of `gap` statements, wherever they were lost; the replayed
camera loses frames as a sensor does, when its thread is kept from running for more than six of them. Flushes are those
that the block device was asked for: an `fdatasync` a second and the journal's own. Aims: 0 lost, memory bounded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import results
from bench_camera import BenchCamera
from bench_card import Card

from evidence import cms
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Gap, Sealed, decode

Figures = dict[str, float | int | str]


def losses(path: Path, at_ns: int) -> tuple[int, int]:
    """(frames recorded, frames lost) by the statements of a file; `at_ns` is its trigger's time."""
    recorded = lost = 0
    expected: int | None = None
    for item in Splitter().feed(path.read_bytes()):
        if not isinstance(item, StatementBytes):
            continue
        said = decode(cms.parse_signed(item.data).payload)
        if isinstance(said, Gap):
            print(f"# gap: {said.cause}, {said.frames} frames, {(said.start_ns - at_ns) / 1e9:.3f} s after the trigger")
        if isinstance(said, Sealed) and said.media is not None:
            first = said.media.first_frame
            lost += first - expected if expected is not None else 0
            expected = first + said.media.frames
            recorded += said.media.frames
    return recorded, lost


def recording(camera: BenchCamera, during: Callable[[], None]) -> Figures:
    """Record, with something happening meanwhile; what it did to the frames."""
    camera.until_ring_is_full()
    before = camera.memory_mib()
    at_ns, since, opened = camera.record()
    camera.wait("fragment", since, count=33, timeout_s=120)
    settled = len(camera.notices) - 1  # the pause begins with the fragment before
    during()
    camera.wait("fragment", len(camera.notices), count=3, timeout_s=120)
    end = len(camera.notices)
    camera.end(timeout_s=120)
    path = camera.spool / f"{opened.recording}.evidence"
    recorded, lost = losses(path, at_ns)
    path.unlink()
    arrived = [one.mono_ns for one in camera.notices[settled:end] if one.event == "fragment"]
    pauses = [after - one for one, after in itertools.pairwise(arrived)]
    return {
        "frames_recorded": recorded,
        "frames_lost": lost,
        "longest_ms_between_durable_fragments": max(pauses) / 1e6,
        "rss_growth_mib": camera.memory_mib("VmHWM") - before,
        "rss_peak_mib": camera.memory_mib("VmHWM"),
    }


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    working = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in working:
            process.kill()
            process.wait()


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--stall-s", type=float, default=10.0)
    arguments = parser.parse_args()
    run = results.Run("under_stress", arguments)
    pause = threading.Event()

    def calm(card: Card) -> int:
        before = card.flushes()
        pause.wait(60)
        return card.flushes() - before

    def load() -> None:
        with busy((os.cpu_count() or 1) + 1):
            pause.wait(arguments.seconds)

    def stall(card: Card) -> None:
        card.freeze()
        try:
            pause.wait(arguments.stall_s)
        finally:
            card.thaw()

    with Card() as card, BenchCamera(card.path) as camera:
        camera.start()
        flushes: list[int] = []
        parts = {
            "calm": lambda: flushes.append(calm(card)),
            "cpu_load": load,
            "io_stall": lambda: stall(card),
        }
        for name, during in parts.items():
            run.keep({f"{name}_{key}": value for key, value in recording(camera, during).items()})
        run.keep({"flushes_per_minute": flushes[0]})
    run.record()


if __name__ == "__main__":
    main()

"""A recording of hours for those that read it: made once by the camera's own recorder, as fast as it goes, and kept.

Sixty seconds of 1080p30 are filmed round and round, so nobody waits for an encoder; all else is real: each second is
a fragment with a picture signature, sealed, signed, flushed, and waited for. It stays in build/bench/, with the agency
that made it, until `make clean`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import replay
from pipeline import Pipeline


@dataclass(frozen=True)
class LongRecording:
    """An evidence file and the agency whose camera made it."""

    path: Path
    pki: Path

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size

    def into_page_cache(self) -> None:
        """Read it once: the disk is not what is measured."""
        with self.path.open("rb", buffering=0) as file:
            buffer = bytearray(2**22)
            while file.readinto(buffer):
                pass


def made(seconds: int, mbit: float) -> LongRecording:
    """A recording of that length and bit rate; the one that is there, if it is."""
    directory = replay.BUILD / f"{seconds}s-{mbit:g}mbit"
    if not directory.exists():
        print(f"# making a recording of {seconds} s at {mbit:g} Mbit/s (once)", flush=True)
        part = directory.with_name(directory.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        pipeline = Pipeline(part, replay.Stream(replay.stream(mbit)))
        with pipeline.recorder() as recorder:
            pipeline.record(recorder, seconds)
        part.rename(directory)
    (path,) = directory.glob("*.evidence")
    return LongRecording(path, directory / "pki")

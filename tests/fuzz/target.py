"""What a target of the fuzzers is, and the throw-away agency whose keys sign what they make."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.trust import Trust
from fleet.ca import create_agency

CORPUS: Final = Path(__file__).parent / "corpus"
VECTORS: Final = Path(__file__).parents[1] / "vectors"
SIGNERS: Final = ("profile", "release", "supervisor", "proof", "station-receipt")
SLOW_S: Final = 2.0
NOW: Final = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
LINES: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What everybody who decodes a line by hand answers with one sentence."""
_SHARED_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True)
class Target:
    """One reader of bytes from outside. It may raise what stands in `allowed`; everything else is a find."""

    name: str
    run: Callable[[bytes], object]
    allowed: tuple[type[BaseException], ...] = (EvidenceError,)
    mends: tuple[Callable[[bytes], bytes], ...] = ()
    """What makes edited bytes whole again (`repaired`): checksums and lengths, so that edits come past them."""

    def seeds(self) -> list[bytes]:
        """The kept corpus: good documents, and every find that was ever made."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]

    def __call__(self, data: bytes) -> None:
        """Raises only what is a find."""
        with contextlib.suppress(*self.allowed):
            self.run(data)


@functools.cache
def trust() -> Trust:
    return Trust.load(VECTORS / "pki" / "root.pem")


@functools.cache
def agency() -> tuple[Trust, dict[str, FileSigner]]:
    """A throw-away agency whose keys sign whatever the fuzzer makes."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        create_agency(directory, start=NOW)
        signers = {stem: FileSigner.load(directory / f"{stem}.key", directory / f"{stem}.pem") for stem in SIGNERS}
        return Trust.load(directory / "root.pem"), signers


@functools.cache
def scratch() -> Path:
    """A directory in memory for readers that take a path; gone when the process ends."""
    directory = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def as_file(name: str, data: bytes) -> Path:
    """The bytes as a file of that name."""
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def from_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A target's function for a reader of files."""

    def run(data: bytes) -> object:
        return read(as_file(name, data))

    return run

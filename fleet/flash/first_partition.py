"""Files for the first partition (FAT) of a card: put in with mtools, in memory, and read back from the card.

The changed partition never lies in a file, and the token on no command line: mtools works on a nameless file in memory
and reads what it copies from its standard input.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fleet.errors import BadImage, CardFailed
from fleet.flash.card_writer import PROVED, CardWriter
from fleet.flash.image import FirstPartition

_ENVIRONMENT: Final = {"MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "PATH": os.environ.get("PATH", os.defpath)}
_TIMEOUT_S: Final = 60
_UNSOUND: Final = "the first partition is no sound file system: does the block map leave out zeros that count?"
_ROOM: Final = threading.BoundedSemaphore(4)
"""Partitions in memory at once, of however many cards."""


def with_files(data: bytes, files: Mapping[str, bytes]) -> bytes:
    """The partition's bytes with those files in it; names are as `agency/root.pem`. Raises `BadImage`."""
    with _in_memory(data) as descriptor:
        for directory in sorted({name.rpartition("/")[0] for name in files} - {""}):
            _run(descriptor, "mmd", "-D", "s", f"::{directory}", allowed=(0, 1))
        for name, content in files.items():
            _run(descriptor, "mcopy", "-D", "o", "-", f"::{name}", given=content)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size != len(data):
            raise BadImage(_UNSOUND)
        return os.pread(descriptor, size, 0)


def files_of(data: bytes, names: Sequence[str]) -> dict[str, bytes | None]:
    """Those files of the partition's bytes; None for one that is not there. Raises `BadImage`."""
    with _in_memory(data) as descriptor:
        return {name: _run(descriptor, "mtype", f"::{name}", allowed=(0, 1)) or None for name in names}


def write_files(writer: CardWriter, partition: FirstPartition, files: Mapping[str, bytes]) -> None:
    """Put files into a card's first partition, and read them back from the card. Raises `BadImage`, `CardFailed`.

    From the end towards the beginning, where the names stand: what was cut off has no names.
    """
    with _ROOM:
        before = writer.read(partition.begin, partition.size)  # as it was verified there, not as the image has it now
        changed = with_files(before, files)
        for at in reversed(range(0, len(changed), PROVED)):
            if (new := changed[at : at + PROVED]) != before[at : at + PROVED]:
                writer.write_at(partition.begin + at, new)
        writer.verify(lambda _: None)
        del before, changed
        with _in_memory(writer.read(partition.begin, partition.size)) as descriptor:
            for name, content in files.items():
                if _run(descriptor, "mtype", f"::{name}") != content:
                    raise CardFailed(f"{name} came back changed from the card: destroy the card and take another")


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("partition")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        yield descriptor
    finally:
        os.close(descriptor)


def _run(descriptor: int, name: str, *words: str, given: bytes = b"", allowed: tuple[int, ...] = (0,)) -> bytes:
    program = shutil.which(name)
    if program is None:
        raise BadImage(f"{name} is missing: apt-get install mtools")
    command = [program, "-i", f"/proc/self/fd/{descriptor}", *words]
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            pass_fds=(descriptor,),
            env=_ENVIRONMENT,
            process_group=0,  # Ctrl-C in a terminal does not cut it off
        )
    except subprocess.TimeoutExpired as error:
        raise BadImage(f"{name} does not end on the image's first partition: fetch the image again") from error
    if done.returncode not in allowed:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
        raise BadImage(f"the first partition does not take {words[-1].lstrip(':')}: {said[0][:200]}")
    return done.stdout

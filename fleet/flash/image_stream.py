"""An image as a stream of its bytes, packed with zstd or not, never more of them than its manifest promises."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from fleet.errors import BadImage

IMAGE_BYTES: Final = 64 * 2**30
"""Largest image, unpacked."""
PIECE: Final = 2**20
_WINDOW: Final = "--memory=256MB"
"""What a hostile file may make zstd ask for."""
_MAGIC: Final = b"\x28\xb5\x2f\xfd"


class ImageStream:
    """Reads on and on. Raises `BadImage` as soon as the image is longer or shorter than it should be."""

    def __init__(self, file: IO[bytes], path: Path, size: int | None, process: subprocess.Popen[bytes] | None) -> None:
        self.position = 0
        self._file, self._path, self._size, self._process = file, path, size, process

    def read(self, count: int) -> bytes:
        """Exactly so many bytes, fewer only at the end."""
        data = self._file.read(count)
        self.position += len(data)
        if self.position > (IMAGE_BYTES if self._size is None else self._size):
            raise BadImage(f"{self._path} unpacks to more than it should: it was altered, fetch it again")
        if len(data) < count:
            self._end()
        return data

    def skip(self, count: int) -> None:
        """Go on without looking."""
        if self._process is None:
            self._file.seek(count, 1)
            self.position += count
            return
        while count:
            count -= len(self.read(min(count, PIECE)))

    def _end(self) -> None:
        if self._process is not None and self._process.wait() != 0:
            raise BadImage(f"{self._path} cannot be unpacked: it was cut off or altered, fetch it again")
        if self._size is not None and self.position != self._size:
            raise BadImage(f"{self._path} unpacks to less than it should: it was cut off, fetch it again")


@contextlib.contextmanager
def unpacked(path: Path, size: int | None) -> Iterator[ImageStream]:
    """The bytes of an image; `size` is how many they are, None if nobody knows yet. Raises `BadImage`."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb", buffering=0))  # zstd goes on where we stand
            packed = file.read(4) == _MAGIC
            file.seek(0)
        except OSError as error:
            raise BadImage(f"{path}: cannot be read: {error.strerror}") from error
        if not packed:
            yield ImageStream(file, path, size, None)
            return
        zstd = shutil.which("zstd")
        if zstd is None:
            raise BadImage(f"{path} is packed with zstd: apt-get install zstd, or unpack it elsewhere")
        command = [zstd, "-dcq", _WINDOW]
        process = subprocess.Popen(
            command,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C in a terminal is told to us, and not to who unpacks for us
        )
        with process:
            assert process.stdout is not None
            try:
                yield ImageStream(process.stdout, path, size, process)
            finally:
                process.kill()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as it lies. Raises `BadImage`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadImage(f"{path}: cannot be read: {error.strerror}") from error

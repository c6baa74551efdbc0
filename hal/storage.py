"""The storage seam: the card that holds the spool, and a probe that really writes to it and reads back."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hal.errors import DeviceLost

MAX_PROBE_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024

_ADVICE = {
    errno.ENOSPC: "the card is full; dock the camera so that recordings are offloaded",
    errno.EDQUOT: "the quota is used up; dock the camera so that recordings are offloaded",
    errno.EROFS: "the card is read-only, which a worn card becomes; replace it",
    errno.EIO: "the card fails; replace it",
    errno.ENOENT: "the spool directory is missing; check that the card is inserted and mounted",
    errno.ENOTDIR: "the spool is no directory; check the setting of its path",
    errno.EACCES: "the directory's owner or mode is wrong; reinstall the image",
    errno.EPERM: "the directory's owner or mode is wrong; reinstall the image",
}


@dataclass(frozen=True, slots=True)
class StorageProbe:
    """What one test of the card found. It passed if `error` is None and `read_ok`."""

    write_bytes_per_s: int
    """Bytes per second, counted until the data was durable (write and fdatasync); 0 if it never was."""
    read_ok: bool
    """The same bytes came back. On file systems in memory this proves nothing about a medium."""
    flush_ms: int
    """How long the fdatasync alone took, in milliseconds, rounded up."""
    free_bytes: int
    """What an unprivileged process may still write, before the probe; 0 if unknown."""
    total_bytes: int
    error: str | None = None
    """One sentence that says what a person should do."""


class Storage(Protocol):
    """The card."""

    @property
    def read_only(self) -> bool:
        """True if the file system is mounted read-only. Raises `hal.errors.DeviceLost` if it is not there."""
        ...

    def free_bytes(self) -> int:
        """Bytes that may still be written. Raises `hal.errors.DeviceLost` if the card is not there."""
        ...

    def total_bytes(self) -> int:
        """Size of the file system in bytes. Raises `hal.errors.DeviceLost` if the card is not there."""
        ...

    def probe(self, size_bytes: int = 1024 * 1024) -> StorageProbe:
        """Write, flush, read back, remove. Never raises for what the card does; ValueError for a size out of range."""
        ...


def advice(path: Path, error: OSError) -> str:
    """One sentence about a card that fails, with what a person should do."""
    what = _ADVICE.get(error.errno or 0, "check the card and how it is mounted")
    return f"{path}: {error.strerror or error}: {what}"


class DirectoryStorage:
    """The file system under `path`, which must exist when it is asked.

    `timer` returns monotonic nanoseconds and is injected by tests.
    """

    def __init__(self, path: str | os.PathLike[str], *, timer: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = Path(path)
        self._timer = timer

    @property
    def read_only(self) -> bool:
        """The mount's read-only flag (statvfs ST_RDONLY). Raises `DeviceLost`."""
        return bool(self._statvfs().f_flag & os.ST_RDONLY)

    def free_bytes(self) -> int:
        """Free bytes for an unprivileged process (statvfs f_bavail). Raises `DeviceLost`."""
        answer = self._statvfs()
        return answer.f_bavail * answer.f_frsize

    def total_bytes(self) -> int:
        """Size in bytes (statvfs f_blocks). Raises `DeviceLost`."""
        answer = self._statvfs()
        return answer.f_blocks * answer.f_frsize

    def probe(self, size_bytes: int = 1024 * 1024) -> StorageProbe:
        """Write `size_bytes` (1..64 MiB) of random data, fdatasync, drop the page cache, read back, compare, remove.

        The file is unlinked before the first byte is written: a power cut in the middle leaves nothing behind.
        Nothing durable comes of it, so it does not go through the module for durable writes.
        """
        if not 1 <= size_bytes <= MAX_PROBE_BYTES:
            raise ValueError(f"size_bytes must be 1..{MAX_PROBE_BYTES}, not {size_bytes}")
        free_bytes = total_bytes = 0
        try:
            answer = os.statvfs(self._path)
            free_bytes, total_bytes = answer.f_bavail * answer.f_frsize, answer.f_blocks * answer.f_frsize
            descriptor, name = tempfile.mkstemp(prefix=".firsthand-probe-", dir=self._path)
            try:
                Path(name).unlink()
                elapsed_ns, flush_ns, read_ok = self._write_and_read(descriptor, os.urandom(size_bytes))
            finally:
                os.close(descriptor)
        except OSError as error:
            return StorageProbe(0, False, 0, free_bytes, total_bytes, self._sentence(error))
        wrong = None if read_ok else f"{self._path}: other bytes came back than were written; replace the card"
        speed = size_bytes * 1_000_000_000 // max(1, elapsed_ns)
        return StorageProbe(speed, read_ok, -(-flush_ns // 1_000_000), free_bytes, total_bytes, wrong)

    def _write_and_read(self, descriptor: int, data: bytes) -> tuple[int, int, bool]:
        """Nanoseconds until durable, nanoseconds of the flush, and whether the same bytes came back."""
        began_ns = self._timer()
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view[:_CHUNK_BYTES]) :]
        written_ns = self._timer()
        os.fdatasync(descriptor)
        flushed_ns = self._timer()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # else the page cache answers, not the card
        back = bytearray()
        while len(back) < len(data) and (chunk := os.pread(descriptor, _CHUNK_BYTES, len(back))):
            back += chunk
        return flushed_ns - began_ns, flushed_ns - written_ns, back == data

    def _statvfs(self) -> os.statvfs_result:
        try:
            return os.statvfs(self._path)
        except OSError as error:
            raise DeviceLost(self._sentence(error)) from error

    def _sentence(self, error: OSError) -> str:
        return advice(self._path, error)

"""The card as a mounted file system (libfuse 3): every request of every process passes through it.

Metadata is answered at once, as a kernel does from its memory; bytes, syncs and names ask the card. Without power no
request is answered until the power is back: then the dead camera's own ones fail, and those of others go on.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

import mfusepy

from simulator.card.card import SimulatedCard
from simulator.card.medium import PowerLost

_P = ParamSpec("_P")
_R = TypeVar("_R")
_LOOK_S: Final = 0.02
_STAT: Final = (
    "st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_blksize"
)  # fmt: skip
_SPACE: Final = (
    "f_bavail",
    "f_bfree",
    "f_blocks",
    "f_bsize",
    "f_favail",
    "f_ffree",
    "f_files",
    "f_frsize",
    "f_namemax",
)
_DROPPED: Final = os.O_APPEND | getattr(os, "O_DIRECT", 0) | os.O_SYNC | os.O_DSYNC
"""Flags that the kernel has dealt with, or that the medium must not see."""


class CardOperations(mfusepy.Operations):  # type: ignore[misc]
    """What the kernel asks of the card. `on_mount` is called when it can be used."""

    use_ns = True

    def __init__(self, card: SimulatedCard, on_mount: Callable[[], None]) -> None:
        self._card = card
        self._medium = card.medium
        self._on_mount = on_mount
        self._open: dict[int, tuple[str, int]] = {}
        """Path and number of power cuts at its opening, of each open file."""
        self._lock = threading.Lock()

    def init_with_config(self, conn_info: Any, config_3: Any) -> None:
        """Nothing is cached: what a cut leaves is seen at once, and each read asks the card."""
        del conn_info
        config_3.entry_timeout = config_3.attr_timeout = config_3.negative_timeout = 0.0
        config_3.direct_io = config_3.hard_remove = 1
        self._on_mount()

    # --- what a kernel knows by heart ---------------------------------------------------------------------------------

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, Any]:
        status = os.fstat(fh) if fh is not None and fh in self._open else os.lstat(self._real(path))
        facts = {name: getattr(status, name) for name in _STAT}
        return facts | {"st_atime": status.st_atime_ns, "st_mtime": status.st_mtime_ns, "st_ctime": status.st_ctime_ns}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path))

    def statfs(self, path: str) -> dict[str, int]:
        space = os.statvfs(self._real(path))
        facts: dict[str, int] = {name: getattr(space, name) for name in _SPACE}
        free = self._card.free_bytes(space.f_bavail * space.f_frsize) // space.f_frsize
        return facts | {"f_bavail": free, "f_bfree": free}

    # --- bytes --------------------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int) -> int:
        if flags & os.O_TRUNC:
            self._ask("name")
        return self._opened(path, self._done(self._medium.open, self._name(path), flags & ~_DROPPED, 0))

    def create(self, path: str, mode: int, fi: int | None = None) -> int:
        self._ask("name")
        flags = (fi or os.O_WRONLY) & ~_DROPPED | os.O_CREAT
        return self._opened(path, self._done(self._medium.open, self._name(path), flags, mode))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        while True:
            try:
                taken = self._card.ask("read", size)
                break
            except PowerLost:
                self._until_power()  # whoever reads may live on: the station's agent, a person
        known, _ = self._open.get(fh, ("", 0))
        return self._card.come_back(known, offset, os.pread(fh, taken, offset))

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._alive(fh)
        taken = self._ask("write", len(data))
        written: int = self._done(self._medium.write, fh, [data[:taken]], offset)
        self._done(self._card.wrote)
        return written

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self._ask("name")
        descriptor = os.open(self._real(path), os.O_WRONLY | os.O_CLOEXEC)
        try:
            self._done(self._medium.truncate, descriptor, length)
        finally:
            os.close(descriptor)

    def fallocate(self, path: str, mode: int, offset: int, size: int, fh: int) -> None:
        if mode:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        self._alive(fh)
        self._ask("name")
        missing = max(0, offset + size - os.fstat(fh).st_size)
        if self._card.free_bytes(missing) < missing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._done(self._medium.allocate, fh, offset + size)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._alive(fh)
        self._ask("sync")
        self._done(self._medium.sync, fh)

    def release(self, path: str, fh: int) -> None:
        with self._lock:
            self._open.pop(fh, None)
        os.close(fh)

    # --- names --------------------------------------------------------------------------------------------------------

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        self._ask("sync")
        self._done(self._medium.sync_directory, self._name(path))

    def mkdir(self, path: str, mode: int) -> None:
        self._ask("name")
        self._done(self._medium.make_directory, self._name(path), mode)

    def rmdir(self, path: str) -> None:
        self._ask("name")
        self._done(self._medium.remove_directory, self._name(path))

    def unlink(self, path: str) -> None:
        self._ask("name")
        self._done(self._medium.unlink, self._name(path))

    def rename(self, old: str, new: str) -> None:
        self._ask("name")
        self._done(self._medium.replace, self._name(old), self._name(new))

    def link(self, target: str, source: str) -> None:
        self._ask("name")
        self._done(self._medium.link, self._name(source), self._name(target))

    def symlink(self, target: str, source: str) -> None:
        self._ask("name")
        os.symlink(source, self._real(target))

    def mknod(self, path: str, mode: int, dev: int) -> None:
        self._ask("name")
        os.mknod(self._real(path), mode, dev)

    def chmod(self, path: str | None, mode: int) -> None:
        self._ask("name")
        if path is not None:
            os.chmod(self._real(path), mode)

    def chown(self, path: str | None, uid: int, gid: int) -> None:
        self._ask("name")
        if path is not None:
            os.chown(self._real(path), uid, gid)

    def utimens(self, path: str | None, times: tuple[int, int] | None = None) -> None:
        if path is not None:
            os.utime(self._real(path), ns=times or (time.time_ns(),) * 2, follow_symlinks=False)

    # --- the power ----------------------------------------------------------------------------------------------------

    def _ask(self, what: Any, size: int = 0) -> int:
        return self._done(self._card.ask, what, size)

    def _done(self, call: Callable[_P, _R], *arguments: _P.args, **more: _P.kwargs) -> _R:
        try:
            return call(*arguments, **more)
        except PowerLost:
            self._until_power()
            raise OSError(errno.EIO, "the power went") from None

    def _until_power(self) -> None:
        while self._medium.off:
            time.sleep(_LOOK_S)

    def _alive(self, fh: int) -> None:
        """A file that was opened before the last power cut belongs to nobody any more."""
        if self._open.get(fh, ("", self._card.cuts))[1] != self._card.cuts:
            self._until_power()
            raise OSError(errno.EIO, "opened before the power went")

    def _opened(self, path: str, descriptor: int) -> int:
        with self._lock:
            self._open[descriptor] = self._name(path), self._card.cuts
        return descriptor

    def _name(self, path: str) -> str:
        return path.lstrip("/")

    def _real(self, path: str | None) -> str:
        if path is None:
            raise OSError(errno.ENOENT, "a file without a name")
        return f"{self._medium.root}{path}"

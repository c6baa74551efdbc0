"""Every durable write goes through here; nothing else calls fsync, fdatasync or os.replace (house rule 7).

Measured on ext4 with simulated power cuts: append + fdatasync loses nothing; a new file needs fsync, rename and an
fsync of its directory, else most cuts lose an acknowledged file (design, invariant 3; docs/design).

What stands between these functions and the card is a `FileLayer`: the operating system, unless `install` puts another
one in its place, as a simulated card does (docs/simulator/card.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

Buffer = bytes | bytearray | memoryview
_IOV_MAX: Final = 1024
_TEMPORARY: Final = re.compile(r"\..+\.([0-9]+\.)?tmp", re.DOTALL)
"""The names under which a file is written before it gets its own."""


class FileLayer(Protocol):
    """What a card is asked for when something is to become durable. Every method raises OSError as the system does."""

    def open(self, path: Path, flags: int, mode: int) -> int:
        """A descriptor for writing, as os.open gives it."""
        ...

    def close(self, descriptor: int) -> None: ...

    def write(self, descriptor: int, parts: Sequence[Buffer]) -> int:
        """Write at the descriptor's position; how many bytes were taken, at least one."""
        ...

    def truncate(self, descriptor: int, size: int) -> None: ...

    def allocate(self, descriptor: int, size: int) -> None:
        """Take so much room on the card for a file, now."""
        ...

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        """Make a file's bytes and its size durable, and its access mode if asked to; not its name."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        ...

    def replace(self, old: Path, new: Path) -> None: ...

    def link(self, old: Path, new: Path) -> None: ...

    def unlink(self, path: Path) -> None: ...

    def make_directory(self, path: Path, mode: int) -> None: ...

    def free_bytes(self, path: Path) -> int:
        """What an unprivileged process may still write where `path` lies."""
        ...


class OperatingSystem:
    """The card as the kernel offers it."""

    def open(self, path: Path, flags: int, mode: int) -> int:
        return os.open(path, flags, mode)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def write(self, descriptor: int, parts: Sequence[Buffer]) -> int:
        return os.writev(descriptor, parts)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        os.posix_fallocate(descriptor, 0, size)

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        if mode:
            os.fsync(descriptor)
        else:
            os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def link(self, old: Path, new: Path) -> None:
        os.link(old, new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def make_directory(self, path: Path, mode: int) -> None:
        path.mkdir(mode, exist_ok=True)

    def free_bytes(self, path: Path) -> int:
        space = os.statvfs(path)
        return space.f_bavail * space.f_frsize


_layer: FileLayer = OperatingSystem()


def install(layer: FileLayer) -> FileLayer:
    """Let all durable writes of this process go through `layer` from now on; what they went through before.

    Not while something is being written. A layer that stands for one card hands on what lies elsewhere.
    """
    global _layer  # there is one file system below a process, too
    before, _layer = _layer, layer
    return before


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    _layer.sync_directory(path)


def _write_all(descriptor: int, parts: Sequence[Buffer]) -> None:
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    while views:
        written = _layer.write(descriptor, views[:_IOV_MAX])
        if written == 0:
            raise OSError(errno.EIO, "the file system wrote nothing")
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


class AppendFile:
    """A file that only grows: each `append` is one write and one fdatasync, whole or cut back to what was durable."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = size
        """Durable size in bytes."""
        self._torn = False

    @classmethod
    def create(cls, path: Path, *, mode: int = 0o640) -> AppendFile:
        """A new, empty file whose name is durable. Raises FileExistsError rather than touch what is there."""
        descriptor = _layer.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            sync_directory(path.parent)
        except BaseException:
            _layer.close(descriptor)
            raise
        return cls(path, descriptor, 0)

    @classmethod
    def reopen(cls, path: Path) -> AppendFile:
        """Go on at the end of a file that is there. Raises OSError."""
        descriptor = _layer.open(path, os.O_WRONLY | os.O_CLOEXEC, 0)
        return cls(path, descriptor, os.lseek(descriptor, 0, os.SEEK_END))

    def append(self, parts: Sequence[Buffer]) -> int:
        """Write all parts at the end and make them durable; the new size.

        Raises OSError (ENOSPC, EIO, EROFS…) after cutting the file back to its last durable size, so that a later
        append never follows torn bytes.
        """
        if self._torn:  # what an earlier failure left could not be cut off then
            _layer.truncate(self._descriptor, self.size)
            self._torn = False
        try:
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            _write_all(self._descriptor, parts)
            _layer.sync(self._descriptor)
        except OSError:
            self._torn = True
            with contextlib.suppress(OSError):
                _layer.truncate(self._descriptor, self.size)
                self._torn = False
            raise
        self.size += sum(memoryview(part).nbytes for part in parts)
        return self.size

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes, durably. Raises OSError."""
        _layer.truncate(self._descriptor, size)
        _layer.sync(self._descriptor, mode=True)
        self.size = size

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        if self._descriptor >= 0:
            _layer.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> AppendFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_temporary(path: Path, data: Buffer, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = _layer.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        _write_all(descriptor, [data])
        _layer.sync(descriptor, mode=True)
    except OSError:
        with contextlib.suppress(OSError):
            _layer.unlink(temporary)
        raise
    finally:
        _layer.close(descriptor)
    return temporary


def clear_temporaries(*directories: Path) -> None:
    """Remove what writers that were killed left under temporary names: without this it piles up, death by death.

    For the one program that writes in these directories, at its start, before it writes there. A directory that is not
    there, and what cannot be removed, is left alone: nobody needs it to be gone, nor to be durably gone.
    """
    for directory in directories:
        try:
            left = [directory / entry.name for entry in os.scandir(directory) if _TEMPORARY.fullmatch(entry.name)]
        except OSError:
            continue
        for path in left:
            with contextlib.suppress(OSError):
                _layer.unlink(path)


def replace(path: Path, data: Buffer, *, mode: int = 0o640) -> None:
    """Put `data` at `path` at once and durably, whatever was there before. Raises OSError."""
    _layer.replace(_write_temporary(path, data, mode), path)
    sync_directory(path.parent)


def overwrite(path: Path, data: Buffer) -> None:
    """Put `data` over the bytes of a file of that very size, durably: no name and no size changes, only the bytes.

    For a few bytes within one sector of a file system without a journal (FAT), which a power cut leaves as they were
    or as they shall be; more could be torn. Raises OSError; ValueError for another size.
    """
    descriptor = _layer.open(path, os.O_WRONLY | os.O_CLOEXEC, 0)
    try:
        if os.fstat(descriptor).st_size != memoryview(data).nbytes:
            raise ValueError(f"{path} has another size than what shall be written over it")
        _write_all(descriptor, [data])
        flush(descriptor)
    finally:
        _layer.close(descriptor)


def write_new(path: Path, data: Buffer, *, mode: int = 0o640) -> None:
    """Put `data` at `path` durably. Raises FileExistsError if something is there."""
    temporary = _write_temporary(path, data, mode)
    try:
        _layer.link(temporary, path)
    finally:
        _layer.unlink(temporary)
    sync_directory(path.parent)


def rename(old: Path, new: Path) -> None:
    """Rename durably within one file system; what `new` was is gone. Raises OSError."""
    _layer.replace(old, new)
    sync_directory(new.parent)
    if old.parent != new.parent:
        sync_directory(old.parent)


def unlink(path: Path) -> None:
    """Remove a name durably. Raises OSError."""
    _layer.unlink(path)
    sync_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o750) -> None:
    """A directory whose name is durable, with those above it; nothing if it is there. Raises OSError."""
    if path.is_dir():
        return
    make_directory(path.parent, mode=mode)
    _layer.make_directory(path, mode)
    sync_directory(path.parent)


def flush(descriptor: int) -> None:
    """What was written to an open file or block device is on it. Raises OSError."""
    _layer.sync(descriptor)


def set_aside(path: Path, size: int) -> None:
    """Make a file that only takes room, or make it as large as that. Raises OSError, and then leaves no such file.

    It holds nothing, so nobody needs it to be durable.
    """
    descriptor = _layer.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _layer.allocate(descriptor, size)
    except OSError:
        with contextlib.suppress(OSError):
            _layer.unlink(path)
        raise
    finally:
        _layer.close(descriptor)


def give_up(path: Path) -> None:
    """Remove what was set aside: room at once, though after a power cut the file may be back. Raises OSError."""
    _layer.unlink(path)


def free_bytes(path: Path) -> int:
    """What an unprivileged process may still write where `path` lies. Raises OSError."""
    return _layer.free_bytes(path)

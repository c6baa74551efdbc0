"""The medium: a real directory that knows, of all that was done to it, what a power cut would undo.

Files are known by their inode. Bytes and names are changed at once, as the page cache does; what was there durably is
kept until a sync makes the change durable: overwritten bytes in memory, replaced and removed files as hard links in a
directory beside the card.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from evidence.durable import Buffer, OperatingSystem
from simulator.card.answers import flipped
from simulator.card.model import CardModel, Cut, FileRepair, Leftover, NameRepair

_SYSTEM: Final = OperatingSystem()


class PowerLost(BaseException):
    """The camera is without power: nothing after this point happens in it, no clean-up either.

    No Exception, so that the camera's own error handling does not see it.
    """


class Medium:
    """All paths are relative to `root`, without a leading slash. Methods raise OSError as the system does.

    Safe to use from several threads. Nothing is really synced: the host's disk is not what is tested.
    """

    def __init__(self, root: Path, kept: Path | None = None) -> None:
        self.root = root
        self._kept = kept or root.with_name(f".{root.name}.kept")
        """Where removed files wait; on the same file system. An earlier run's are of no use."""
        self._model = CardModel()
        self._dirty: dict[int, int] = {}
        """A descriptor of our own for each file that is not durable."""
        self._next_kept = 0
        self._lock = threading.RLock()
        self.off = False
        """Without power: every change raises `PowerLost` until `power_on`."""
        self._used_bytes: int | None = None
        """None: something was changed since it was counted."""
        shutil.rmtree(self._kept, ignore_errors=True)

    @property
    def unsynced_bytes(self) -> int:
        with self._lock:
            return self._model.unsynced_bytes

    @property
    def unsynced_names(self) -> int:
        with self._lock:
            return self._model.unsynced_names

    # --- files --------------------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int) -> int:
        """As os.open; a new file's name is not durable, and bytes that O_TRUNC takes away come back in a cut."""
        real = self.root / path
        with self._powered():
            present = os.path.lexists(real)
            if not present and flags & os.O_CREAT:
                descriptor = _SYSTEM.open(real, flags, mode)
                inode = os.fstat(descriptor).st_ino
                self._model.name_changed(path, None)
                self._forget(inode)
                self._model.created(inode)
                self._hold(inode, descriptor)
                return descriptor
            descriptor = _SYSTEM.open(real, flags & ~os.O_TRUNC, mode)
            if flags & os.O_TRUNC:
                self.truncate(descriptor, 0)
            return descriptor

    def write(self, descriptor: int, parts: Sequence[Buffer], offset: int) -> int:
        """Write at `offset`; how many bytes were taken."""
        with self._powered():
            status = os.fstat(descriptor)
            end = offset + sum(memoryview(part).nbytes for part in parts)
            self._endanger(descriptor, status, min(offset, status.st_size), end)
            written = os.pwritev(descriptor, parts, offset)
            self._model.wrote(status.st_ino, offset, offset + written)
            return written

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut or stretch a file."""
        with self._powered():
            status = os.fstat(descriptor)
            if size != status.st_size:
                self._endanger(descriptor, status, size, status.st_size)
                _SYSTEM.truncate(descriptor, size)
                self._model.resized(status.st_ino, size)

    def allocate(self, descriptor: int, size: int) -> None:
        """Let a file take so much room; it is durable at once, since it holds nothing."""
        with self._powered():
            _SYSTEM.allocate(descriptor, size)
            self.sync(descriptor)

    def sync(self, descriptor: int) -> None:
        """The file is durable as it is."""
        with self._powered():
            inode = os.fstat(descriptor).st_ino
            self._model.synced(inode)
            self._forget(inode)

    # --- names --------------------------------------------------------------------------------------------------------

    def replace(self, old: str, new: str) -> None:
        """Rename; a directory with all that is in it is durable at once."""
        with self._powered():
            if stat.S_ISDIR(os.lstat(self.root / old).st_mode):
                self._settle(old)
                _SYSTEM.replace(self.root / old, self.root / new)
                return
            with self._changing(new), self._changing(old):
                _SYSTEM.replace(self.root / old, self.root / new)

    def link(self, old: str, new: str) -> None:
        with self._powered(), self._changing(new):
            _SYSTEM.link(self.root / old, self.root / new)

    def unlink(self, path: str) -> None:
        with self._powered(), self._changing(path):
            _SYSTEM.unlink(self.root / path)

    def make_directory(self, path: str, mode: int) -> None:
        with self._powered(), self._changing(path):
            (self.root / path).mkdir(mode)

    def remove_directory(self, path: str) -> None:
        """An empty directory goes durably, at once."""
        with self._powered():
            (self.root / path).rmdir()
            self._settle(path)

    def sync_directory(self, path: str) -> None:
        """The names in the directory are durable as they are."""
        with self._powered():
            for number in self._model.directory_synced(path):
                self._drop(number)

    # --- the medium as such -------------------------------------------------------------------------------------------

    def used_bytes(self) -> int:
        """What all files take; counted when something was changed since the last time."""
        with self._lock:
            if self._used_bytes is None:
                self._used_bytes = sum(size for _, size in self._sizes())
            return self._used_bytes

    def flip_bit(self, seed: int, within: str = "") -> str | None:
        """Turn one bit of the files whose path contains `within`; which one, in words."""
        with self._lock:
            sizes = {path: size for path, size in self._sizes() if within in path}
            found = flipped(seed, sizes)
            if found is None:
                return None
            path, place, bit = found
            with (self.root / path).open("r+b", buffering=0) as file:
                before = os.pread(file.fileno(), 1, place)
                os.pwrite(file.fileno(), bytes([before[0] ^ 1 << bit]), place)
            return f"bit {bit} of byte {place} of {path}"

    def cut(self, how: Cut) -> Leftover:
        """The power goes: undo what a real card would have forgotten."""
        with self._lock:
            self.off, self._used_bytes = True, None
            left = self._model.cut(how)
            for one in left.files:
                self._repair_file(one)
            for name in left.names:
                self._repair_name(name)
            for number in left.dropped:
                self._drop(number)
            return left

    def cut_by_seed(self, seed: int) -> Leftover:
        """The power goes; the seed says what survives."""
        with self._lock:
            return self.cut(Cut.by_seed(seed, self._model.unsynced_bytes, self._model.unsynced_names))

    def power_on(self) -> None:
        """What the cut left can be used."""
        self.off = False

    def close(self) -> None:
        """Everything stays as it is."""
        with self._lock:
            for descriptor in self._dirty.values():
                os.close(descriptor)
            self._dirty.clear()
            shutil.rmtree(self._kept, ignore_errors=True)

    @contextlib.contextmanager
    def _powered(self) -> Iterator[None]:
        with self._lock:
            if self.off:
                raise PowerLost
            try:
                yield
            finally:
                self._used_bytes = None

    # --- keeping what is durable --------------------------------------------------------------------------------------

    def _endanger(self, descriptor: int, status: os.stat_result, start: int, end: int) -> None:
        """Save durable bytes before they are destroyed, and hold the file until it is durable."""
        inode = status.st_ino
        spans = self._model.endangered(inode, status.st_size, start, end)
        if inode not in self._dirty:
            self._hold(inode, descriptor)
        for low, high in spans:
            self._model.save(inode, low, _read(descriptor, low, high))

    def _hold(self, inode: int, descriptor: int) -> None:
        """A descriptor that can be written whatever the caller's was opened for, and outlives it."""
        self._dirty[inode] = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)

    def _forget(self, inode: int) -> None:
        descriptor = self._dirty.pop(inode, None)
        if descriptor is not None:
            os.close(descriptor)

    @contextlib.contextmanager
    def _changing(self, path: str) -> Iterator[None]:
        """Keep what durably stands at a path while its name is changed; if that fails nothing was changed."""
        known = self._model.is_changed(path)
        number = None if known else self._keep(path)
        try:
            yield
        except OSError:
            if number is not None:
                self._drop(number)
            raise
        self._model.name_changed(path, number)

    def _keep(self, path: str) -> int | None:
        real = self.root / path
        if not os.path.lexists(real):
            return None
        self._kept.mkdir(exist_ok=True)
        self._next_kept += 1
        os.link(real, self._kept / str(self._next_kept), follow_symlinks=False)
        return self._next_kept

    def _drop(self, number: int) -> None:
        (self._kept / str(number)).unlink(missing_ok=True)

    def _settle(self, directory: str) -> None:
        """All names in and below a directory are durable as they are."""
        for path in self._model.changed_below(directory):
            self.sync_directory(path)

    def _repair_file(self, one: FileRepair) -> None:
        descriptor = self._dirty.pop(one.file)
        try:
            _SYSTEM.truncate(descriptor, one.size)
            for offset, data in one.patches:
                os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)

    def _repair_name(self, one: NameRepair) -> None:
        real = self.root / one.path
        if real.is_dir() and not real.is_symlink():
            shutil.rmtree(real)
        else:
            real.unlink(missing_ok=True)
        if one.kept is not None and real.parent.is_dir():
            os.link(self._kept / str(one.kept), real, follow_symlinks=False)

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for directory, _, names in os.walk(self.root):
            for name in names:
                path = Path(directory) / name
                with contextlib.suppress(FileNotFoundError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        yield str(path.relative_to(self.root)), status.st_size


def _read(descriptor: int, start: int, end: int) -> bytes:
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:  # noqa: PTH123 - a descriptor's own name
        return os.pread(file.fileno(), end - start, start)

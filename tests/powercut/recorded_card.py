"""A disk that records each write and each flush: ext4 on a loop device on the block driver `blklogwrites` of QEMU.

Root, `qemu-storage-daemon`, FUSE and loop devices. Everything lies in memory (tmpfs) where there is one: no other
program's disk is slowed, and none slows this one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from write_log import entries_now

SIZE_BYTES: Final = 160 * 2**20
"""Two block groups: the second one holds the copy of the superblock that a repair needs."""
TOOLS: Final = ("qemu-storage-daemon", "mkfs.ext4", "fusermount3", "losetup")
LOOK_S: Final = 0.002
_MEMORY: Final = Path("/dev/shm")
_LAZY_UNMOUNT: Final = 2
_NOATIME: Final = 1024
_libc = ctypes.CDLL(None, use_errno=True)


class CannotRecord(RuntimeError):
    """This machine has not what the bench needs; the text says what."""


def why_not() -> str | None:
    """One sentence about what is missing here; None if the bench can run."""
    if os.geteuid() != 0:
        return "the power-cut bench mounts file systems: run it as root"
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found: install qemu-system-common, fuse3, e2fsprogs and mount"
    absent = [name for name in ("/dev/fuse", "/dev/loop-control") if not Path(name).exists()]
    return f"this kernel offers no {' and no '.join(absent)}" if absent else None


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def work_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory in memory, or in the usual place."""
    return tempfile.TemporaryDirectory(prefix="powercut-", dir=_MEMORY if _MEMORY.is_dir() else None)


def mount(device: str, place: Path, options: str = "") -> None:
    """Mount ext4. Raises OSError with what the kernel says."""
    if _libc.mount(device.encode(), str(place).encode(), b"ext4", _NOATIME, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), device)


def unmount(place: Path) -> None:
    """Unmount, at once or when the last user is gone."""
    if _libc.umount2(str(place).encode(), 0) != 0:
        _libc.umount2(str(place).encode(), _LAZY_UNMOUNT)


@contextlib.contextmanager
def loop_device(file: Path) -> Iterator[str]:
    """A loop device on a file; buffered, since QEMU's export corrupts overlapping direct writes."""
    command = ["losetup", "-f", "--show", "--direct-io=off", str(file)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False, capture_output=True)


def make_ext4(image: Path, size_bytes: int) -> None:
    """An empty file system, all of it written now: nothing of it comes later, behind the bench's back."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    command = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    subprocess.run([*command, str(image)], check=True, capture_output=True)


def repair(device: str) -> bool:
    """As the camera's boot does it (`prepare-data` in fleet/image/tree); True if the card may be mounted now."""
    if subprocess.run(["e2fsck", "-p", device], capture_output=True).returncode < 4:
        return True
    return subprocess.run(["e2fsck", "-f", "-y", device], capture_output=True).returncode < 8


class RecordedCard:
    """A mounted card; use it as a context. After it `base` and `log` say everything that was ever on it."""

    def __init__(self, directory: Path, *, size_bytes: int = SIZE_BYTES, options: str = "") -> None:
        self.directory = directory
        self.base, self.log = directory / "base.img", directory / "log.img"
        self.place = directory / "card"
        self.timeline: list[tuple[int, int]] = []
        """When each number of entries was first seen: (entries, CLOCK_BOOTTIME ns)."""
        self._size_bytes, self._options = size_bytes, options
        self._exit = contextlib.ExitStack()
        self._done = threading.Event()

    def __enter__(self) -> RecordedCard:
        disk, device = self.directory / "disk.img", self.directory / "device.img"
        make_ext4(disk, self._size_bytes)
        subprocess.run(["cp", "--sparse=always", str(disk), str(self.base)], check=True)
        self.log.touch()
        device.touch()
        self.place.mkdir()
        with contextlib.ExitStack() as undo:
            undo.callback(self._stop_daemon, self._start_daemon(disk, device))
            loop = undo.enter_context(loop_device(device))
            mount(loop, self.place, self._options)
            undo.callback(unmount, self.place)
            watcher = threading.Thread(target=self._watch, name="positions", daemon=True)
            watcher.start()
            undo.callback(watcher.join)
            undo.callback(self._done.set)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _start_daemon(self, disk: Path, device: Path) -> int:
        pid = self.directory / "daemon.pid"
        command = ["qemu-storage-daemon", "--daemonize", "--pidfile", str(pid)]
        command += ["--blockdev", f"driver=file,node-name=df,filename={disk},cache.no-flush=on"]
        command += ["--blockdev", "driver=raw,node-name=d,file=df"]
        command += ["--blockdev", f"driver=file,node-name=lf,filename={self.log},cache.no-flush=on"]
        logged = "driver=blklogwrites,node-name=wl,file=d,log=lf,log-sector-size=512,log-super-update-interval=1"
        command += ["--blockdev", logged]
        command += ["--export", f"type=fuse,id=e0,node-name=wl,mountpoint={device},writable=on"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode != 0:
            raise CannotRecord(f"qemu-storage-daemon does not start: {answer.stderr.strip()}")
        return int(pid.read_text())

    def _stop_daemon(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 15)
        end = time.monotonic() + 180
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def position(self) -> int:
        """How many entries the log has now."""
        with self.log.open("rb") as file:
            return entries_now(file.read(512))

    def _watch(self) -> None:
        seen = -1
        with self.log.open("rb", buffering=0) as file:
            while not self._done.wait(LOOK_S):
                head = os.pread(file.fileno(), 512, 0)
                now = entries_now(head) if head else 0
                if now != seen:
                    seen = now
                    self.timeline.append((now, boottime_ns()))

    def entries_by(self, at_ns: int) -> int:
        """How many entries the disk had by then."""
        return max((seen for seen, seen_ns in self.timeline if seen_ns <= at_ns), default=0)

    def last_instant_of(self, entries: int) -> int:
        """When the disk had certainly more entries: a power cut at that number may have come that late."""
        return next((at_ns for seen, at_ns in self.timeline if seen > entries), boottime_ns())

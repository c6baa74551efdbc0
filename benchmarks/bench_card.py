"""A card for a camera under measurement: ext4 on a loop device, which can be slow, stall, and count its flushes.

Needs root. Slow: the block layer's own throttle (cgroup v1 blkio or v2 io) on the loop device, for the processes that
are put under it. Stall: `fsfreeze`, which makes every write wait, as a card does that tidies itself up.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

V1 = Path("/sys/fs/cgroup/blkio")
V2 = Path("/sys/fs/cgroup")


class Card:
    """Mounted at `path` while the `with` block runs. Raises PermissionError or subprocess errors without root."""

    def __init__(self, mib: int = 4096) -> None:
        self._mib = mib
        self._directory = tempfile.TemporaryDirectory(prefix="card-")
        self.path = Path(self._directory.name) / "mount"
        self._group: Path | None = None
        self._device = Path()

    def __enter__(self) -> Card:
        if os.geteuid():
            raise PermissionError("a card that can be slowed and stalled needs root")
        image = Path(self._directory.name) / "image"
        self.path.mkdir()
        with image.open("wb") as file:
            file.truncate(self._mib * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0", image], check=True)
        subprocess.run(["mount", "-o", "loop,noatime", image, self.path], check=True)
        self._device = Path(
            subprocess.run(
                ["findmnt", "-n", "-o", "SOURCE", self.path], check=True, capture_output=True, text=True
            ).stdout.strip()
        )
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", self.path], check=True)
        if self._group is not None:
            self._group.rmdir()
        self._directory.cleanup()

    def slow(self, process: int, bytes_per_s: int) -> str:
        """Let that process write no faster; how it was done. Raises OSError where the kernel offers neither way."""
        number = self._device.stat().st_rdev
        device = f"{os.major(number)}:{os.minor(number)}"
        if V1.is_dir():
            self._group = V1 / f"bench-{process}"
            self._group.mkdir()
            (self._group / "blkio.throttle.write_bps_device").write_text(f"{device} {bytes_per_s}")
            (self._group / "cgroup.procs").write_text(str(process))
            return "blkio.throttle.write_bps_device"
        self._group = V2 / f"bench-{process}"
        self._group.mkdir()
        (self._group / "io.max").write_text(f"{device} wbps={bytes_per_s}")
        (self._group / "cgroup.procs").write_text(str(process))
        return "io.max"

    def freeze(self) -> None:
        """Every write waits from now on."""
        subprocess.run(["fsfreeze", "-f", self.path], check=True)

    def thaw(self) -> None:
        subprocess.run(["fsfreeze", "-u", self.path], check=True)

    def flushes(self) -> int:
        """Flush requests that the device has completed (Documentation/block/stat)."""
        return int(Path(f"/sys/block/{self._device.name}/stat").read_text().split()[15])

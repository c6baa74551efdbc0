"""A Debian root with nothing of ours in it, as a disk: for tests of the harness itself."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from pathlib import Path

from kernel_modules import cache_directory

from fleet.image.debian_root import CannotBuild, DebianRoot, unpacked


def ext4_of(directory: Path, image: Path, *, label: str, mib: int) -> Path:
    """A directory's tree as an ext4 image, owners and modes as they are: no mount, no loop device."""
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(directory), "-L", label, str(image), f"{mib}M"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"mke2fs cannot make {image.name}: {done.stderr.strip()[-300:]}")
    return image


def plain_root(base: DebianRoot | None = None) -> Path:
    """The disk, made on the first call. Never written to: `Disk(…, forgets=True)`."""
    base = base or DebianRoot()
    image = cache_directory() / base.name().replace(".tar", ".ext4")
    tar = base.tar()
    with Path(f"{image}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            with tempfile.TemporaryDirectory(dir=image.parent) as scratch:
                root = unpacked(tar, Path(scratch) / "root")
                ext4_of(root, Path(scratch) / "image", label="lab-root", mib=tar.stat().st_size // 2**20 * 2 + 200)
                (Path(scratch) / "image").rename(image)
    return image

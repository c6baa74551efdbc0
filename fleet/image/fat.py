"""A FAT file system as a file, the same bytes for the same files; no mount and no root needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from fleet.image.debian_root import CannotBuild
from fleet.image.layout import SECTOR

_CLUSTERS: Final = 66_000
"""FAT32 begins at 65,525 clusters; with fewer a firmware takes the same bytes for FAT16."""


def make_fat(path: Path, size: int, label: str, serial: int, files: Path, epoch: int) -> None:
    """Write a FAT32 file system of `size` bytes to `path` that holds all of the directory `files`.

    `serial` is its volume number and `epoch` the time of every file in it. Raises `CannotBuild`.
    """
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    sectors = 1
    while size // (SECTOR * sectors * 2) > _CLUSTERS and sectors < 64:
        sectors *= 2
    _run(
        epoch, "mkfs.vfat", "--invariant", "-F", "32", "-s", str(sectors), "-n", label, "-i", f"{serial:08x}", str(path)
    )
    for directory, names, leaves in os.walk(files):
        names.sort()
        inside = Path(directory).relative_to(files)
        for leaf in leaves:
            os.utime(Path(directory, leaf), (epoch, epoch))
        if names:
            _run(epoch, "mmd", "-i", str(path), *(f"::/{inside / name}" for name in names))
        if leaves:
            paths = [str(Path(directory, leaf)) for leaf in sorted(leaves)]
            _run(epoch, "mcopy", "-m", "-i", str(path), *paths, f"::/{inside}/" if inside.name else "::/")


def _run(epoch: int, tool: str, *arguments: str) -> None:
    if shutil.which(tool) is None:
        raise CannotBuild(f"{tool} is missing; run: sudo apt-get install dosfstools mtools")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise CannotBuild(f"{tool}: {(done.stderr or done.stdout).strip()[-300:]}")

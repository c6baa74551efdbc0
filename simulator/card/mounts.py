"""Mounts of simulated cards: found in the kernel's list, and taken away, also when their program is long dead."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_KIND: Final = "fuse.firsthand"


def mounts_below(directory: Path) -> list[Path]:
    """Where simulated cards are mounted at or below a directory, the innermost first."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        fields, _, kind = line.partition(" - ")
        if kind.startswith(f"{_KIND} "):
            path = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4]))
            if path.is_relative_to(directory):
                found.append(path)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def unmount(directory: Path) -> None:
    """Take away what is mounted at or below a directory; whoever still has a file open there keeps it until the end.

    Nothing of other file systems is touched. Never raises: what cannot be unmounted is found by the next mount.
    """
    for path in mounts_below(directory):
        for command in (["fusermount3", "-u", "-z"], ["umount", "-l"]):
            try:
                done = subprocess.run([*command, str(path)], capture_output=True, timeout=10, check=False)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                break

"""Partition 1 of a card (docs/design/board.md): mounted read-only but for the moment of a change."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def read_only(directory: Path) -> bool:
    """Whether the file system there is mounted read-only."""
    return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)


@contextmanager
def writable(directory: Path) -> Iterator[None]:
    """While this lasts it can be written to; a plain directory stays as it is. Raises OSError."""
    if not os.path.ismount(directory) or not read_only(directory):
        yield
        return
    _remount(directory, "rw")
    try:
        yield
    finally:
        _remount(directory, "ro")


def _remount(directory: Path, how: str) -> None:
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(directory)], capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise OSError(errno.EIO, f"partition 1 cannot be mounted {how}: {said}", str(directory))

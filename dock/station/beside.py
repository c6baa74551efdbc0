"""The papers beside evidence, receipts and timestamp tokens, in one directory: the first one of a name stays (R40)."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

from dock.errors import BadFileName
from dock.names import original_name
from evidence import durable
from evidence.timestamp import SUFFIX as TIMESTAMP_SUFFIX

RECEIPT_SUFFIX: Final = ".receipt.p7s"
ARCHIVE_RECEIPT_SUFFIX: Final = ".archive-receipt.p7s"
__all__ = ["ARCHIVE_RECEIPT_SUFFIX", "RECEIPT_SUFFIX", "TIMESTAMP_SUFFIX", "Beside", "is_ours"]


class Beside:
    """One directory of papers."""

    def __init__(self, directory: Path, *, make: bool = True) -> None:
        if make:
            durable.make_directory(directory)
        for left_over in directory.glob(".*.tmp"):  # a receipt that a crash interrupted is signed anew
            left_over.unlink()
        self._directory = directory
        self._lock = threading.Lock()
        """Two requests may find the same paper in a bucket at the same moment."""

    def put(self, name: str, suffix: str, data: bytes) -> None:
        """Keep a paper durably, unless there is one. Raises OSError."""
        path = self._directory / (name + suffix)
        with self._lock, contextlib.suppress(FileExistsError):  # another machine's, on a mounted store
            if not path.exists():
                durable.write_new(path, data)

    def get(self, name: str, suffix: str) -> bytes | None:
        """A paper, or None."""
        try:
            return (self._directory / (name + suffix)).read_bytes()
        except FileNotFoundError:
            return None

    def receipted(self) -> list[str]:
        """Names that have a receipt."""
        return self._receipted({entry.name for entry in os.scandir(self._directory)})

    def without_token(self) -> list[str]:
        """Names that have a receipt and no token."""
        names = {entry.name for entry in os.scandir(self._directory)}
        return [name for name in self._receipted(names) if name + TIMESTAMP_SUFFIX not in names]

    @staticmethod
    def _receipted(names: set[str]) -> list[str]:
        receipted = [name.removesuffix(RECEIPT_SUFFIX) for name in names if name.endswith(RECEIPT_SUFFIX)]
        return sorted(name for name in receipted if is_ours(name))


def is_ours(name: str) -> bool:
    """Whether that is the stored name of evidence, not of a paper beside it."""
    try:
        original_name(name)
    except BadFileName:
        return False
    return True

"""The final store: write-once names, durable before it says so, and a digest that is read back (invariant 8, R40).

`DirectoryStore` is the first; an object store fits behind the same `Store` seam. All calls block: the station makes
them in threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from dock.errors import BadFileName, StoreOccupied
from dock.names import original_name
from evidence import durable
from evidence.timestamp import SUFFIX as TIMESTAMP_SUFFIX

RECEIPT_SUFFIX: Final = ".receipt.p7s"
_READ_BYTES: Final = 1024 * 1024


class Store(Protocol):
    """Where evidence stays. A name that is taken stays taken."""

    @property
    def name(self) -> str:
        """For receipts, e.g. ``directory:station-1``."""
        ...

    def adopt(self, part: Path, name: str) -> None:
        """Take over a complete local file under `name`, durably. Raises `StoreOccupied`, OSError."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes stored under `name`; None if there is nothing."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """The stored bytes, from the medium where the system allows it. Raises OSError."""
        ...

    def conflicts(self, name: str) -> list[str]:
        """Stored names of further files that came under the same name."""
        ...

    def names(self) -> Iterator[str]:
        """Stored names of all evidence, without the papers beside it."""
        ...

    def version(self, name: str) -> str:
        """What tells this stored object from any other: goes into the receipt."""
        ...

    def put_receipt(self, name: str, receipt: bytes) -> None:
        """Keep the receipt beside the file, durably; the first one stays. Raises OSError."""
        ...

    def receipt(self, name: str) -> bytes | None:
        """The receipt (DER) of what is stored under `name`."""
        ...

    def without_receipt(self) -> list[str]:
        """Stored names that have no receipt yet: a crash came between."""
        ...

    def put_token(self, name: str, token: bytes) -> None:
        """Keep an RFC 3161 token beside the file, durably; the first one stays. Raises OSError."""
        ...

    def without_token(self) -> list[str]:
        """Stored names that have a receipt and no token."""
        ...

    def free_bytes(self) -> int | None:
        """Room left; None if the store does not know."""
        ...


class DirectoryStore:
    """One directory on one file system, the same one that incoming/ is on."""

    def __init__(self, directory: Path, station: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for left_over in directory.glob(".*.tmp"):  # a receipt that a crash interrupted is signed anew
            left_over.unlink()
        self._directory = directory
        self.name = f"directory:{station}"[:128]

    def adopt(self, part: Path, name: str) -> None:
        target = self._directory / name
        # One process owns the directory (station.lock), so nothing comes in between.
        if target.exists():
            raise StoreOccupied(f"{name} is in the store already")
        durable.rename(part, target)

    def size(self, name: str) -> int | None:
        try:
            return (self._directory / name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str) -> Iterator[bytes]:
        with (self._directory / name).open("rb") as file:
            # What was just written would come out of memory: drop the clean pages, so that the disk is asked.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(_READ_BYTES):
                yield block

    def conflicts(self, name: str) -> list[str]:
        found = self._directory.glob(f"{name}.conflict-*")
        return sorted(path.name for path in found if not path.name.endswith((RECEIPT_SUFFIX, TIMESTAMP_SUFFIX)))

    def names(self) -> Iterator[str]:
        yield from sorted(entry.name for entry in os.scandir(self._directory) if _is_ours(entry.name))

    def version(self, name: str) -> str:
        return name

    def put_receipt(self, name: str, receipt: bytes) -> None:
        path = self._directory / (name + RECEIPT_SUFFIX)
        if not path.exists():
            durable.write_new(path, receipt)

    def receipt(self, name: str) -> bytes | None:
        try:
            return (self._directory / (name + RECEIPT_SUFFIX)).read_bytes()
        except FileNotFoundError:
            return None

    def put_token(self, name: str, token: bytes) -> None:
        path = self._directory / (name + TIMESTAMP_SUFFIX)
        if not path.exists():
            durable.write_new(path, token)

    def without_token(self) -> list[str]:
        names = {entry.name for entry in os.scandir(self._directory)}
        receipted = [name.removesuffix(RECEIPT_SUFFIX) for name in names if name.endswith(RECEIPT_SUFFIX)]
        return sorted(name for name in receipted if name in names and name + TIMESTAMP_SUFFIX not in names)

    def without_receipt(self) -> list[str]:
        names = {entry.name for entry in os.scandir(self._directory) if not entry.name.startswith(".")}
        bare = [name for name in names if not name.endswith(RECEIPT_SUFFIX) and name + RECEIPT_SUFFIX not in names]
        return sorted(name for name in bare if _is_ours(name))

    def free_bytes(self) -> int | None:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize


def _is_ours(name: str) -> bool:
    try:
        original_name(name)
    except BadFileName:
        return False
    return True

"""The final store: write-once names, durable before it says so, and a digest that is read back (invariant 8, R40).

`DirectoryStore` is the embedded one, `dock.station.store_s3` the bucket, both behind the same `Store` seam
(docs/design/store.md). All calls block: the station makes them in threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from dock.errors import StoreOccupied
from dock.station.beside import RECEIPT_SUFFIX, TIMESTAMP_SUFFIX, Beside, is_ours
from evidence import durable

__all__ = ["RECEIPT_SUFFIX", "DirectoryStore", "Holding", "Store"]
_READ_BYTES: Final = 1024 * 1024


class Holding(Protocol):
    """What a receipt needs of whoever holds a file."""

    name: str
    """For receipts, e.g. ``directory:station-1``."""

    def read(self, name: str) -> Iterator[bytes]:
        """The stored bytes, from the medium where the system allows it. Raises OSError."""
        ...

    def version(self, name: str) -> str:
        """What tells this stored object from any other: goes into the receipt."""
        ...

    def retain(self, name: str, until: str | None) -> str | None:
        """Until when the object is kept at least, once the store has made sure of it: goes into the receipt."""
        ...


class Store(Holding, Protocol):
    """Where evidence stays. A name that is taken stays taken."""

    def adopt(self, part: Path, name: str, *, sha256: str, until: str | None) -> None:
        """Take over a complete local file under `name`, durably; it may stay where it was, for the caller to remove.

        `sha256` is the file's digest, `until` the moment to keep it at least to. Raises `StoreOccupied`, OSError.
        """
        ...

    def size(self, name: str) -> int | None:
        """Bytes stored under `name`; None if there is nothing. Raises OSError."""
        ...

    def conflicts(self, name: str) -> list[str]:
        """Stored names of further files that came under the same name."""
        ...

    def names(self) -> Iterator[str]:
        """Stored names of all evidence, without the papers beside it."""
        ...

    def put_beside(self, name: str, suffix: str, data: bytes, *, until: str | None = None) -> None:
        """Keep a paper beside the file, durably; the first one stays. Raises OSError."""
        ...

    def beside(self, name: str, suffix: str) -> bytes | None:
        """A paper beside the file."""
        ...

    def put_receipt(self, name: str, receipt: bytes, *, until: str | None = None) -> None:
        """Keep the receipt beside the file, durably; the first one stays. Raises OSError."""
        ...

    def receipt(self, name: str) -> bytes | None:
        """The receipt (DER) of what is stored under `name`."""
        ...

    def receipted(self) -> list[str]:
        """Names that this station has a receipt for, wherever the file is: here, in the archive, in a foreign store."""
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

    def upkeep(self) -> None:
        """Clear away what interrupted work left behind; never evidence. Raises OSError."""
        ...

    def stop(self) -> None:
        """End transfers in work; the next start goes on with them."""
        ...

    def close(self) -> None:
        """Nothing is in work any more."""
        ...


class DirectoryStore:
    """One directory on one file system, the same one that incoming/ is on."""

    def __init__(self, directory: Path, station: str) -> None:
        self._directory = directory
        self._beside = Beside(directory)
        self.name = f"directory:{station}"[:128]

    def path(self, name: str) -> Path:
        """Where that file lies, or would."""
        return self._directory / name

    def adopt(self, part: Path, name: str, *, sha256: str, until: str | None) -> None:  # noqa: ARG002
        # One process owns the directory (station.lock), so nothing comes in between. A name with a receipt is taken
        # even when the file itself went on to the archive.
        if self.path(name).exists() or self.receipt(name) is not None:
            raise StoreOccupied(f"{name} is in the store already")
        durable.rename(part, self.path(name))

    def size(self, name: str) -> int | None:
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str) -> Iterator[bytes]:
        with self.path(name).open("rb") as file:
            # What was just written would come out of memory: drop the clean pages, so that the disk is asked.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(_READ_BYTES):
                yield block

    def conflicts(self, name: str) -> list[str]:
        return sorted(path.name for path in self._directory.glob(f"{name}.conflict-*") if is_ours(path.name))

    def names(self) -> Iterator[str]:
        yield from sorted(entry.name for entry in os.scandir(self._directory) if is_ours(entry.name))

    def version(self, name: str) -> str:
        return name

    def retain(self, name: str, until: str | None) -> str | None:  # noqa: ARG002 - a directory locks nothing itself
        return until

    def put_beside(self, name: str, suffix: str, data: bytes, *, until: str | None = None) -> None:  # noqa: ARG002
        self._beside.put(name, suffix, data)

    def beside(self, name: str, suffix: str) -> bytes | None:
        return self._beside.get(name, suffix)

    def put_receipt(self, name: str, receipt: bytes, *, until: str | None = None) -> None:
        self.put_beside(name, RECEIPT_SUFFIX, receipt, until=until)

    def receipt(self, name: str) -> bytes | None:
        return self.beside(name, RECEIPT_SUFFIX)

    def put_token(self, name: str, token: bytes) -> None:
        self.put_beside(name, TIMESTAMP_SUFFIX, token)

    def receipted(self) -> list[str]:
        return self._beside.receipted()

    def without_token(self) -> list[str]:
        return self._beside.without_token()

    def without_receipt(self) -> list[str]:
        names = {entry.name for entry in os.scandir(self._directory)}
        return sorted(name for name in names if is_ours(name) and name + RECEIPT_SUFFIX not in names)

    def free_bytes(self) -> int | None:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize

    def upkeep(self) -> None:
        """Nothing: what a crash interrupted is finished at the start."""

    def stop(self) -> None:
        """Nothing: a rename is short."""

    def close(self) -> None:
        """Nothing is open."""

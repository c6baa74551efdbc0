"""An archive that is a directory on another file system, such as an NFS mount: files are copied, not moved (R38, R40).

1. Nothing is written unless the directory holds the file `MARKER` with the archive's name: an empty mount point is not
   the archive, and evidence on the disk below it would be lost from sight.
2. A copy is made under a hidden name, durable block by block, and goes on there after a restart; only a whole one gets
   its own name.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dock.errors import StoreFailed, StoreOccupied, StoreStopped
from dock.station.beside import Beside
from dock.station.pace import Pace, no_pace
from dock.station.store import DirectoryStore
from evidence import durable
from evidence.durable import AppendFile

MARKER: Final = "firsthand-archive"
_BLOCK_BYTES: Final = 4 * 2**20


class MountedStore(DirectoryStore):
    """One directory. Raises `StoreFailed` while it is not mounted."""

    def __init__(self, directory: Path, name: str, *, pace: Pace = no_pace) -> None:
        self._directory = directory
        self._beside = Beside(directory, make=False)
        self._archive = name
        self.name = f"directory:{name}"[:128]
        self._pace = pace
        self._stopped = threading.Event()

    def adopt(self, part: Path, name: str, *, sha256: str, until: str | None) -> None:  # noqa: ARG002
        self._check()
        target = self.path(name)
        if target.exists():
            raise StoreOccupied(f"{name} is in the store already")
        copy = self._directory / f".{name}.{sha256[:16]}.part"
        with part.open("rb") as source, AppendFile.reopen(copy) if copy.exists() else AppendFile.create(copy) as file:
            source.seek(file.size)
            while block := source.read(_BLOCK_BYTES):
                self._turn(len(block))
                file.append([block])
        durable.rename(copy, target)

    def size(self, name: str) -> int | None:
        self._check()
        return super().size(name)

    def read(self, name: str) -> Iterator[bytes]:
        self._check()
        for block in super().read(name):
            if self._stopped.is_set():
                raise StoreStopped("the station stops")
            yield block

    def put_beside(self, name: str, suffix: str, data: bytes, *, until: str | None = None) -> None:
        self._check()
        super().put_beside(name, suffix, data, until=until)

    def upkeep(self) -> None:
        """Raises `StoreFailed` while it is not mounted."""
        self._check()

    def stop(self) -> None:
        self._stopped.set()

    def _turn(self, size: int) -> None:
        if self._stopped.is_set():
            raise StoreStopped("the station stops")
        self._pace(size)

    def _check(self) -> None:
        try:
            said = (self._directory / MARKER).read_bytes()[:256].decode("utf-8", "replace").strip()
        except OSError as error:
            raise StoreFailed(
                f"the archive {self._directory} is not mounted, or new: once, run: echo {self._archive} > "
                f"{self._directory / MARKER} ({error.strerror})"
            ) from error
        if said != self._archive:
            raise StoreFailed(f"{self._directory} is the archive {said!r}, not {self._archive!r}: mount the right one")

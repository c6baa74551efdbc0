"""What a station keeps, read beside the running one: its own store and the archive behind it. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from dock.config import S3, StationConfig
from dock.station.beside import is_ours

_READ_BYTES: Final = 1024 * 1024


class Place(Protocol):
    """One store, to read."""

    def size(self, name: str) -> int | None:
        """Bytes; None if it is not there."""
        ...

    def read(self, name: str, skip: int = 0) -> Iterator[bytes]:
        """Its bytes behind the first `skip`. Raises OSError."""
        ...

    def paper(self, name: str) -> bytes | None:
        """A small file whole, or None."""
        ...

    def names(self) -> Iterator[str]:
        """Stored names of evidence."""
        ...


class KeptFiles:
    """All places of one station, in the order in which they are asked."""

    def __init__(self, config: StationConfig) -> None:
        """Raises `BadConfig` for a bucket that cannot be used."""
        self._places: list[Place] = []
        if config.store.kind == "directory":
            self._places.append(_Directory(config.directory / "store"))
        elif config.store.s3 is not None:
            self._places.append(_Bucket(config.store.s3))
        archive = config.archive
        if archive is not None and archive.directory is not None:
            self._places.append(_Directory(archive.directory))
        if archive is not None and archive.s3 is not None:
            self._places.append(_Bucket(archive.s3))

    def find(self, name: str) -> Place | None:
        """The first place that has it. Raises OSError."""
        return next((place for place in self._places if place.size(name) is not None), None)

    def paper(self, name: str) -> bytes | None:
        """A receipt, a token: by its name beside the evidence. Raises OSError."""
        return next((found for place in self._places if (found := place.paper(name)) is not None), None)

    def names(self) -> set[str]:
        """Stored names of evidence, anywhere. Raises OSError."""
        return {name for place in self._places for name in place.names()}


class _Directory:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def size(self, name: str) -> int | None:
        try:
            return (self._directory / name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, skip: int = 0) -> Iterator[bytes]:
        with (self._directory / name).open("rb") as file:
            file.seek(skip)
            while block := file.read(_READ_BYTES):
                yield block

    def paper(self, name: str) -> bytes | None:
        try:
            return (self._directory / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self) -> Iterator[str]:
        if self._directory.is_dir():
            yield from (one.name for one in self._directory.iterdir() if is_ours(one.name))


class _Bucket:
    def __init__(self, settings: S3) -> None:
        from dock.station.s3_reading import S3Reading
        from dock.transport.credentials import load_access_key

        self._reading = S3Reading(settings, load_access_key(settings.credentials))
        self._prefix = settings.prefix

    def size(self, name: str) -> int | None:
        try:
            return self._reading.head(self._prefix + name)["size"]
        except FileNotFoundError:
            return None

    def read(self, name: str, skip: int = 0) -> Iterator[bytes]:
        for block in self._reading.stream(self._prefix + name, None):
            if skip < len(block):
                yield block[skip:]
            skip = max(0, skip - len(block))

    def paper(self, name: str) -> bytes | None:
        return self._reading.paper(self._prefix + name)

    def names(self) -> Iterator[str]:
        for key in self._reading.keys(self._prefix):
            if is_ours(name := key.removeprefix(self._prefix)):
                yield name

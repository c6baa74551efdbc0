"""Which store a station has, by station.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dock.config import Archive, StationConfig
from dock.errors import BadConfig
from dock.station.pace import Pace
from dock.station.store import DirectoryStore, Store
from dock.station.store_mounted import MountedStore


def own_store(config: StationConfig, utc_ns: Callable[[], int]) -> Store:
    """The store that files come into. Raises `BadConfig`, OSError; a store that is silent now is no error."""
    chosen = config.store
    if chosen.kind == "directory":
        if chosen.s3 is not None:
            raise BadConfig('store.s3 is set and store.kind is "directory": set kind = "s3", or take [store.s3] away')
        return DirectoryStore(config.directory / "store", config.station)
    if chosen.s3 is None:
        raise BadConfig('store.kind is "s3": say which bucket in [store.s3]')
    from dock.station.store_s3 import S3Store

    name = f"s3:{chosen.s3.bucket}/{chosen.s3.prefix}".rstrip("/")
    return S3Store(chosen.s3, name, config.directory / "s3", utc_ns=utc_ns)


def archive_store(archive: Archive, directory: Path, *, pace: Pace, utc_ns: Callable[[], int]) -> Store:
    """The archive behind a relaying station; `directory` is the station's own place for its journal.

    Raises `BadConfig`, OSError; an archive that is silent or not mounted now is no error.
    """
    if archive.kind == "directory":
        if archive.directory is None or archive.s3 is not None:
            raise BadConfig('archive.kind is "directory": set archive.directory, and take [archive.s3] away')
        return MountedStore(archive.directory, archive.name, pace=pace)
    if archive.s3 is None or archive.directory is not None:
        raise BadConfig('archive.kind is "s3": say which bucket in [archive.s3], and take archive.directory away')
    from dock.station.store_s3 import S3Store

    return S3Store(archive.s3, f"s3:{archive.name}", directory, pace=pace, utc_ns=utc_ns)

"""Which store a station has, by station.toml."""

from __future__ import annotations

from collections.abc import Callable

from dock.config import StationConfig
from dock.errors import BadConfig
from dock.station.store import DirectoryStore, Store


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

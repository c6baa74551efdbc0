"""Reading and listing a bucket through obstore, with its many errors as one sentence each."""

from __future__ import annotations

import datetime as dt
import functools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import S3Store as Bucket

from dock.errors import BadConfig, StoreFailed, StoreStopped
from dock.transport.credentials import AccessKey
from hal import program_time

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig

    from dock.config import S3

_READ_BYTES: Final = 1024 * 1024
_PAPER_BYTES: Final = 1024 * 1024
_SILENT_S: Final = 5.0
_T = TypeVar("_T")


class S3Reading:
    """One bucket, from any thread. Raises FileNotFoundError for what is not there, `StoreFailed` for the rest."""

    def __init__(self, settings: S3, credentials: AccessKey) -> None:
        """Raises `BadConfig`."""
        self._silent_until_s = 0.0
        self._where = f"the S3 store at {settings.endpoint.partition('://')[2]}"
        options: ClientConfig = {
            "allow_http": settings.endpoint.startswith("http:"),
            "connect_timeout": "5 s",
            "read_timeout": "30 s",
            "timeout": "7 days",
        }
        try:
            if settings.ca is not None:
                options["root_certificate"] = settings.ca.read_bytes()
            self._bucket = Bucket(
                settings.bucket,
                endpoint=settings.endpoint,
                region=settings.region,
                access_key_id=credentials.id,
                secret_access_key=credentials.secret,
                client_options=options,
                retry_config={"max_retries": 1, "retry_timeout": dt.timedelta(seconds=20)},
            )
        except (BaseError, OSError, ValueError) as error:
            raise BadConfig(f"the bucket {settings.bucket} cannot be used: {_first_line(error)}") from error

    def head(self, key: str) -> ObjectMeta:
        """Size, version and ETag."""
        return self._guard(functools.partial(obstore.head, self._bucket, key))

    def stream(self, key: str, version: str | None) -> Iterator[bytes]:
        """The bytes of that version, in blocks of about a mebibyte."""
        options = {"version": version} if version else {}
        found = self._guard(functools.partial(obstore.get, self._bucket, key, options=options))  # type: ignore[arg-type]
        blocks = iter(found.stream(min_chunk_size=_READ_BYTES))
        while (block := self._guard(functools.partial(next, blocks, None))) is not None:
            yield bytes(block)

    def size(self, key: str) -> int | None:
        """Bytes; None if it is not there."""
        try:
            return self.head(key)["size"]
        except FileNotFoundError:
            return None

    def newest(self, key: str, stopped: threading.Event) -> Iterator[bytes]:
        """The bytes of the newest version; ends with `StoreStopped` when `stopped` is set."""
        for block in self.stream(key, self.head(key)["version"]):
            if stopped.is_set():
                raise StoreStopped("the station stops")
            yield block

    def version(self, key: str) -> str | None:
        """The newest version's id; the ETag in a bucket without versions; None for a bucket that tells neither."""
        facts = self.head(key)
        return facts["version"] or (facts["e_tag"] or "").strip('"') or None

    def paper(self, key: str) -> bytes | None:
        """A small object whole, or None."""
        try:
            if self.head(key)["size"] > _PAPER_BYTES:
                raise StoreFailed(f"{key} in {self._where} is larger than a receipt can be")
            return b"".join(self.stream(key, None))
        except FileNotFoundError:
            return None

    def keys(self, folder: str, after: str | None = None) -> Iterator[str]:
        """The keys below a folder in order, those after `after` only."""
        return (key for key, _ in self.sizes(folder, after))

    def sizes(self, folder: str, after: str | None = None) -> Iterator[tuple[str, int]]:
        """The same, with the bytes of each."""
        pages = obstore.list(self._bucket, folder.rstrip("/") or None, offset=after, chunk_size=200)
        while (page := self._guard(functools.partial(next, pages, None))) is not None:
            for item in page:
                yield item["path"], item["size"]

    def _guard(self, call: Callable[[], _T]) -> _T:
        """Who waits for a store that does not answer holds a thread: for a moment after that, nobody does."""
        if program_time.monotonic_s() < self._silent_until_s:
            raise StoreFailed(f"{self._where} cannot be read: it did not answer a moment ago")
        try:
            return call()
        except FileNotFoundError as error:
            raise FileNotFoundError(_first_line(error)) from error
        except GenericError as error:
            self._silent_until_s = program_time.monotonic_s() + _SILENT_S
            raise StoreFailed(f"{self._where} cannot be read: {_first_line(error)}") from error
        except (BaseError, OSError, ValueError) as error:
            raise StoreFailed(f"{self._where} cannot be read: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    """obstore appends pages of its insides: the first line says it."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300].rstrip(": ")

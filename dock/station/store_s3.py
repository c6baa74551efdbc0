"""A bucket as the final store (R38, R40, R42): write-once names, object lock, every byte read back.

Reading and listing is obstore's; what obstore has no words for is in `dock.station.s3_requests`. Receipts and tokens
stand beside the evidence as objects, and in a directory of the station's own, where they can be asked for at any time
(docs/design/store.md).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dock.config import S3
from dock.errors import StoreFailed, StoreOccupied, StoreStopped
from dock.station.beside import RECEIPT_SUFFIX, TIMESTAMP_SUFFIX, Beside, is_ours
from dock.station.pace import Pace, no_pace
from dock.station.s3_multipart import Multipart
from dock.station.s3_reading import S3Reading
from dock.station.s3_requests import S3Requests, locked_until
from dock.transport.credentials import load_access_key
from evidence.statements import moment, moment_ns

_DAY_NS: Final = 86_400 * 10**9


class S3Store:
    """One bucket and prefix. Calls block, from any thread; `stop` ends them from another. Raises `StoreFailed`."""

    def __init__(
        self,
        settings: S3,
        name: str,
        directory: Path,
        *,
        utc_ns: Callable[[], int],
        pace: Pace = no_pace,
    ) -> None:
        """`directory` is the station's own, for the journal and for copies of receipts. Raises `BadConfig`, OSError."""
        self.name = name[:128]
        self._settings = settings
        self._credentials = load_access_key(settings.credentials)
        self._reading = S3Reading(settings, self._credentials)
        self._beside = Beside(directory / "papers")
        self._multipart = Multipart(directory / "multipart.db")
        self._pace = pace
        self._utc_ns = utc_ns
        self._stopped = threading.Event()
        self._of_thread = threading.local()
        self._used_bytes = 0

    # --- evidence ---------------------------------------------------------------------------------------------------

    def adopt(self, part: Path, name: str, *, sha256: str, until: str | None) -> None:
        """The file stays where it is; the caller removes it once it has the receipt."""
        key, requests = self._key(name), self._requests()
        try:
            if self.size(name) is not None:
                raise StoreOccupied(f"{name} is in the store already")
            self._multipart.send(requests, part, key, sha256=sha256, lock=self._lock(until), pace=self._turn)
            self._used_bytes += part.stat().st_size
        except StoreOccupied:
            self._multipart.give_up(requests, key)
            raise

    def size(self, name: str) -> int | None:
        return self._reading.size(self._key(name))

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of the version that `version` names."""
        return self._reading.newest(self._key(name), self._stopped)

    def conflicts(self, name: str) -> list[str]:
        first, found = self._key(f"{name}.conflict-"), []
        for key in self._reading.keys(self._settings.prefix, after=first):
            if not key.startswith(first):
                break
            if is_ours(stored := key.removeprefix(self._settings.prefix)):
                found.append(stored)
        return found

    def names(self) -> Iterator[str]:
        for key in self._reading.keys(self._settings.prefix):
            if is_ours(name := key.removeprefix(self._settings.prefix)):
                yield name

    def version(self, name: str) -> str:
        """The version's id; the ETag in a bucket without versions."""
        return (self._reading.version(self._key(name)) or name)[:128]

    def retain(self, name: str, until: str | None) -> str | None:
        """Ask the bucket whether it has locked the object, and until when; lock it if it has not."""
        if until is None or self._settings.object_lock == "off":
            return until
        for attempt in (1, 2):
            headers = self._requests().head(self._key(name))
            if headers is None:
                raise FileNotFoundError(f"{name} is not in {self.name}")
            locked = locked_until(headers)
            # A second receipt, a little later, is no reason to move the date.
            if locked is not None and moment_ns(locked) >= moment_ns(until) - _DAY_NS:
                return locked
            if attempt == 1:
                mode = self._settings.object_lock.upper()
                self._requests().retain(self._key(name), headers.get("x-amz-version-id"), mode, _whole_second(until))
        raise StoreFailed(
            f"{self.name} holds {name} and did not lock it: make the bucket with object lock, or set object_lock to off"
        )

    # --- papers -----------------------------------------------------------------------------------------------------

    def put_beside(self, name: str, suffix: str, data: bytes, *, until: str | None = None) -> None:
        key = self._key(name + suffix)
        try:
            self._requests().put(key, data, lock=self._lock(until), pace=no_pace)
        except StoreOccupied:
            data = self._reading.paper(key) or data
        self._beside.put(name, suffix, data)

    def beside(self, name: str, suffix: str) -> bytes | None:
        if (kept := self._beside.get(name, suffix)) is not None:
            return kept
        found = self._reading.paper(self._key(name + suffix))
        if found is not None:
            self._beside.put(name, suffix, found)
        return found

    def put_receipt(self, name: str, receipt: bytes, *, until: str | None = None) -> None:
        self.put_beside(name, RECEIPT_SUFFIX, receipt, until=until)

    def receipt(self, name: str) -> bytes | None:
        return self.beside(name, RECEIPT_SUFFIX)

    def without_receipt(self) -> list[str]:
        """None: what the bucket holds without a receipt is in incoming/ as well, and is finished from there."""
        return []

    def put_token(self, name: str, token: bytes) -> None:
        self.put_beside(name, TIMESTAMP_SUFFIX, token)

    def receipted(self) -> list[str]:
        return self._beside.receipted()

    def without_token(self) -> list[str]:
        return self._beside.without_token()

    # --- the store itself -------------------------------------------------------------------------------------------

    def free_bytes(self) -> int | None:
        """What is left of `quota_bytes` as of the last count; a bucket itself does not know."""
        quota = self._settings.quota_bytes
        return max(0, quota - self._used_bytes) if quota else None

    def upkeep(self) -> None:
        """Give up multipart uploads that cannot end; count, if there is a quota."""
        now = dt.datetime.fromtimestamp(self._utc_ns() / 1e9, dt.UTC)
        self._multipart.upkeep(self._requests(), self._settings.prefix, now)
        if self._settings.quota_bytes:
            self._used_bytes = sum(size for _, size in self._reading.sizes(self._settings.prefix))

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._multipart.close()

    def _key(self, name: str) -> str:
        return self._settings.prefix + name

    def _lock(self, until: str | None) -> dict[str, str]:
        if until is None or self._settings.object_lock == "off":
            return {}
        return {
            "x-amz-object-lock-mode": self._settings.object_lock.upper(),
            "x-amz-object-lock-retain-until-date": _whole_second(until),
        }

    def _turn(self, size: int) -> None:
        if self._stopped.is_set():
            raise StoreStopped("the station stops")
        self._pace(size)

    def _requests(self) -> S3Requests:
        found: S3Requests | None = getattr(self._of_thread, "requests", None)
        if found is None:
            chosen = self._settings
            found = S3Requests(chosen.endpoint, chosen.bucket, chosen.region, self._credentials, ca=chosen.ca)
            self._of_thread.requests = found
        return found


def _whole_second(until: str) -> str:
    """S3 takes whole seconds; up, never down."""
    return moment(-(-moment_ns(until) // 10**9) * 10**9)[:19] + "Z"

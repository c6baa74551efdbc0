"""Stores that cameras upload to directly: everything is read back from there before a receipt names them (invariant 8).

1. What a camera says it has sent (`SentFiles`) is a claim. The object is read whole with this station's own
   credentials, verified, and compared with the claim; only then a receipt is signed, over what was read.
2. An object that is not there, or is another one, gets no receipt: the ledger has it, the camera is told and sends it
   again. A store that cannot be read now decides nothing: it is asked later.
3. The receipt names a day only if the store itself shows a lock: this station cannot promise for another's bucket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from dock.config import Foreign
from dock.errors import StoreFailed, StoreStopped
from dock.names import conflict_name, parse_name
from dock.station.part import StationPart, Stored
from dock.station.s3_requests import S3Requests, locked_until
from dock.station.sent_files import Sent, SentFiles
from dock.station.station import Station
from dock.transport.credentials import load_access_key
from evidence.errors import EvidenceError
from evidence.statements import NO_HASH

log = logging.getLogger(__name__)
_LOOK_S: Final = 30.0
_RETRY_FIRST_S: Final = 1.0
_RETRY_MAX_S: Final = 300.0
_LOOKS: Final = 3
"""How often an object is looked for before it is said to be missing: a server may still be moving it."""


class ForeignStore:
    """One bucket that others write to. Raises FileNotFoundError, `StoreFailed`, `StoreStopped`."""

    def __init__(self, settings: Foreign, stopped: threading.Event) -> None:
        """Raises `BadConfig`."""
        from dock.station.s3_reading import S3Reading

        self.name = f"s3:{settings.name}"
        chosen = settings.s3
        key = load_access_key(chosen.credentials)
        self._prefix = chosen.prefix
        self._reading = S3Reading(chosen, key)
        self._requests = S3Requests(chosen.endpoint, chosen.bucket, chosen.region, key, ca=chosen.ca)
        self._stopped = stopped

    def size(self, name: str) -> int | None:
        """Bytes; None if it is not there."""
        return self._reading.size(self._key(name))

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of the newest version."""
        return self._reading.newest(self._key(name), self._stopped)

    def version(self, name: str) -> str:
        """The version's id; the ETag in a bucket without versions."""
        return (self._reading.version(self._key(name)) or name)[:128]

    def retain(self, name: str, until: str | None) -> str | None:  # noqa: ARG002 - what we would like binds nobody
        """Until when the store says that it has locked the object."""
        headers = self._requests.head(self._key(name))
        return locked_until(headers) if headers is not None else None

    def _key(self, name: str) -> str:
        return f"{self._prefix}{parse_name(name).serial}/{name}"


class ForeignStores(StationPart):
    """Reads back from every ``[[foreign]]``; without one it does nothing."""

    name = "foreign"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.trouble: str | None = None
        """Why nothing can be read back at the moment, one sentence for the page."""
        self._stopped = threading.Event()
        self._stores = {one.name: ForeignStore(one, self._stopped) for one in station.config.foreign}
        self._looks: dict[str, int] = {}
        self._woken = asyncio.Event()
        self._thread: ThreadPoolExecutor | None = None

    def notices(self) -> Sequence[str]:
        return (f"Nothing is read back from another's store: {self.trouble}",) if self.trouble is not None else ()

    async def begin(self) -> None:
        if not self._stores:
            return
        loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="foreign")

        def heard(what: str, _: str | None) -> None:
            if what == "sent":
                loop.call_soon_threadsafe(self._woken.set)

        self.station.listeners.append(heard)

    async def run(self) -> None:
        if self._thread is None:
            return
        wait_s = _RETRY_FIRST_S
        while True:
            self._woken.clear()
            again = False
            try:
                again = await asyncio.get_running_loop().run_in_executor(self._thread, self._round)
                self.station.intake.on_receipt()
                self._say(None)
            except StoreStopped:
                return
            except (OSError, EvidenceError) as error:
                log.warning("nothing is read back from foreign stores now: %s", error)
                self._say(str(error))
                again = True
            if not again:
                wait_s = _RETRY_FIRST_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._woken.wait()
                continue
            await asyncio.sleep(wait_s * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
            wait_s = min(2 * wait_s, _RETRY_MAX_S)

    async def end(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown, wait=True)

    def holder(self, store: str) -> ForeignStore | None:
        """The store that receipts call so."""
        return next((one for one in self._stores.values() if one.name == store), None)

    def _round(self) -> bool:
        """Read back what waits; whether something must be looked for again soon. One silent store holds up no other."""
        sent_files = self.station.part(SentFiles)
        silent: dict[str, StoreFailed] = {}
        again = False
        for sent in sent_files.waiting():
            store = self._stores.get(sent.store)
            if store is None or sent.store in silent:
                continue
            try:
                self._read_back(store, sent, sent_files)
                self._looks.pop(sent.name, None)
            except StoreFailed as error:
                silent[sent.store] = error
            except FileNotFoundError:
                again = self._missing(store, sent, sent_files) or again
        if silent:
            raise next(iter(silent.values()))
        return again

    def _missing(self, store: ForeignStore, sent: Sent, sent_files: SentFiles) -> bool:
        """Whether to look again before saying so."""
        self._looks[sent.name] = self._looks.get(sent.name, 0) + 1
        if self._looks[sent.name] < _LOOKS:
            return True
        del self._looks[sent.name]
        self._refuse(sent_files, sent, "foreign_missing", f"{store.name} does not have it", store.name)
        return False

    def _read_back(self, store: ForeignStore, sent: Sent, sent_files: SentFiles) -> None:
        settling = self.station.intake.settling
        report, (size, sha256) = settling.read_back(store, sent.name, None)
        if (size, sha256) != (sent.bytes, sent.sha256):
            why = f"it has {size} bytes with SHA-256 {sha256}, the camera has {sent.bytes} with {sent.sha256}"
            self._refuse(sent_files, sent, "foreign_differs", why, store.name)
            return
        if report.close_hash is not None and report.close_hash != sent.close_hash:
            why = f"its close hash is {report.close_hash}, the camera says {sent.close_hash or NO_HASH}"
            self._refuse(sent_files, sent, "foreign_differs", why, store.name)
            return
        held = settling.read_receipt(sent.name)
        kept_as = sent.name if held is None or held.sha256 == sha256 else conflict_name(sent.name, sha256)
        if held is None or kept_as != sent.name:
            receipt, signed = settling.sign(store, sent.name, report, (size, sha256))
            settling.keep(Stored(kept_as, receipt, report, way=f"the store {store.name}"), signed)
        sent_files.done(sent.name)
        log.info("read back %s from %s: %d bytes", sent.name, store.name, size)

    def _refuse(self, sent_files: SentFiles, sent: Sent, step: str, why: str, store: str) -> None:
        log.error("%s was sent to %s and gets no receipt: %s", sent.name, store, why)
        self.station.custody.enter(
            step,
            who=f"station {self.station.desk.station}",
            serial=sent.serial,
            name=sent.name,
            sha256=sent.sha256,
            details={"store": store, "why": why},
        )
        sent_files.refused(sent.name, why)
        self.station.tell("foreign_trouble", sent.serial)

    def _say(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self.station.tell("foreign_trouble" if trouble else "foreign_well")

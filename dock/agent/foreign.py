"""To a foreign target with the station as the judge: bytes go there, words and receipts go through the station.

A bucket or a foreign tus server signs nothing, so its success is worth the word `sent` and no more. The station is told
(POST /sent), reads the object back from the target, verifies it and signs; GET /receipts/NAME is asked until then. The
recorder sees nothing but the station's receipt (invariants 7 and 8; docs/design/transport.md).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from dock.agent.foreign_ledger import ForeignLedger
from dock.config import Offload, Target
from dock.errors import BadConfig, ReceiptNotReady, StationFailed, StationRefused, StationUnreachable, UploadGone
from dock.names import parse_name
from dock.transport.https import StationLink, refuse
from dock.transport.target import open_target, target_link
from dock.transport.transport import Chunk, Outgoing, Progress, Transport
from evidence.statements import Count, Hash, Name
from hal import program_time

if TYPE_CHECKING:
    from dock.agent.session import Session

log = logging.getLogger(__name__)
_READ_BYTES: Final = 1024 * 1024
_CONFLICT: Final = 409


class ForeignTarget:
    """The `[target]` of agent.toml, for all sessions. Raises `BadConfig` if it cannot be used."""

    def __init__(self, target: Target, state_directory: Path, options: Offload) -> None:
        self._target = target
        self._timeout_s = timeout_s = options.timeout_s
        # Held in memory; a bucket's parts are gathered there as it is.
        self.chunk_bytes = min(options.chunk_bytes, _READ_BYTES)
        self._ledger = ForeignLedger(state_directory / "uploads.sqlite")
        # Told at the start, not at the first docking.
        open_target(target, target_link(target, timeout_s=timeout_s), self._ledger, program_time.utc_now)

    def transport(self, session: Session, station: StationLink) -> SentTransport:
        """For one connection of a session that has been greeted. Raises `StationRefused`.

        The clock is the greeting's: a bucket refuses a request that is a quarter of an hour off. Credentials are read
        anew, so that they can be changed while the agent runs.
        """
        at, begun = session.greeted.at, program_time.monotonic_s()

        def now() -> dt.datetime:
            return at + dt.timedelta(seconds=program_time.monotonic_s() - begun)

        try:
            link = target_link(self._target, timeout_s=self._timeout_s, interface=session.watch.permission.interface)
            inner = open_target(self._target, session.cut_with_us(link), self._ledger, now)
        except BadConfig as error:
            raise StationRefused(f"the target cannot be used: {error}", 401) from error
        return SentTransport(
            inner, station, self._ledger, lambda: session.backlog.directory, store=self._target.name, now=now
        )


class _Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the address of an upload holds (JSON): the target's own, and which file it is."""

    store: Name
    name: Name
    bytes: Count
    close_hash: Hash
    sha256: Hash
    inner: str


class SentTransport:
    """`dock.transport.transport.Transport` around the target's own. `directory` says where the spool is (read only)."""

    def __init__(
        self,
        inner: Transport,
        station: StationLink,
        ledger: ForeignLedger,
        directory: Callable[[], Path],
        *,
        store: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._inner = inner
        self._station = station
        self._ledger = ledger
        self._directory = directory
        self._store = store
        self._now = now

    def create(self, file: Outgoing) -> str:
        """The file is read once before its first byte goes: the target is told the digest of the whole."""
        sent = self._ledger.sent(self._store, file.name, file.close_hash)
        sha256 = sent or self._ledger.digest(file.name, file.close_hash) or self._digest(file)
        inner = "" if sent else self._inner.create(Outgoing(file.name, file.bytes, file.close_hash, sha256))
        address = _Address(
            store=self._store, name=file.name, bytes=file.bytes, close_hash=file.close_hash, sha256=sha256, inner=inner
        )
        return msgspec.json.encode(address).decode()

    def offset(self, upload: str) -> Progress:
        """Of a file that is sent: where its receipt is. Raises `ReceiptNotReady` while the station has none."""
        address = self._read(upload)
        if self._ledger.sent(self._store, address.name, address.close_hash) is None:
            return self._inner.offset(address.inner)
        if not self._ledger.told(self._store, address.name, address.close_hash):
            self._tell(address)
        where = f"/receipts/{address.name}"
        answer = self._station.call("GET", where)
        if answer.status == 404:
            self._tell(address)  # it may have found out meanwhile that the target does not have it
            raise ReceiptNotReady(f"{address.name} is sent to {self._store}; the station has not read it back yet")
        refuse(answer, f"asking for the receipt of {address.name}")
        if answer.status != 200 or not answer.body:
            raise StationFailed(f"asking for the receipt of {address.name}: {answer.status} without one")
        return Progress(address.bytes, where)

    def append(self, upload: str, offset: int, data: Chunk) -> int:
        return self._inner.append(self._read(upload).inner, offset, data)

    def complete(self, upload: str) -> None:
        """Sent, durably in the ledger, before the station is told."""
        address = self._read(upload)
        if self._ledger.sent(self._store, address.name, address.close_hash) is not None:
            return
        self._inner.complete(address.inner)
        self._keep(address, told=False)
        log.info("%s is sent to %s, SHA-256 %s", address.name, self._store, address.sha256)
        self._tell(address)

    def close(self) -> None:
        self._inner.close()

    def _tell(self, address: _Address) -> None:
        said = {
            "name": address.name,
            "bytes": address.bytes,
            "sha256": address.sha256,
            "close_hash": address.close_hash,
            "store": self._store,
        }
        answer = self._station.call("POST", "/sent", {"Content-Type": "application/json"}, json.dumps(said).encode())
        if answer.status == _CONFLICT:
            self._ledger.forget(self._store, address.name, address.close_hash)
            told = answer.body[:300].decode("utf-8", "replace").strip()
            raise UploadGone(f"{address.name} is sent again: {told}")
        refuse(answer, f"telling the station of {address.name}")
        if answer.status != 204:
            raise StationFailed(f"telling the station of {address.name}: {answer.status} is no answer to it")
        self._keep(address, told=True)

    def _keep(self, address: _Address, *, told: bool) -> None:
        at = self._now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._ledger.keep_sent(
            self._store,
            address.name,
            address.close_hash,
            sha256=address.sha256,
            at=at,
            told=told,
            upload=address.inner,
        )

    def _digest(self, file: Outgoing) -> str:
        """Raises `StationUnreachable` when it is cut off, OSError."""
        digest = hashlib.sha256()
        parse_name(file.name)
        descriptor = os.open(self._directory() / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while block := os.read(descriptor, _READ_BYTES):
                digest.update(block)
                if self._station.is_cut:
                    raise StationUnreachable(f"{file.name}: reading for its digest was cut off")
        finally:
            os.close(descriptor)
        self._ledger.keep_digest(file.name, file.close_hash, digest.hexdigest())
        return digest.hexdigest()

    def _read(self, upload: str) -> _Address:
        """Raises `UploadGone` for an address at another target: the file is announced again."""
        try:
            address = msgspec.json.decode(upload, type=_Address)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UploadGone("the upload was to another kind of target") from error
        if address.store != self._store:
            raise UploadGone(f"the upload was to {address.store}")
        return address

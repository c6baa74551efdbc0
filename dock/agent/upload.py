"""Upload one file: from where the station stands, chunk by chunk, to the address of its receipt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from dock.agent.ledger import UploadLedger
from dock.errors import (
    ChecksumRefused,
    OffsetMoved,
    ReceiptNotReady,
    SpoolMismatch,
    StationFailed,
    StationRefused,
    StationRejects,
    UploadGone,
    UploadStopped,
)
from dock.names import parse_name
from dock.transport.hash_ahead import HashAhead
from dock.transport.transport import Outgoing, Transport
from dock.transport.tus_pieces import BUFFER_BYTES, TusPieces
from evidence.handover import SpoolFile

log = logging.getLogger(__name__)
_STUMBLES: Final = 5
_POLL_FIRST_S: Final = 0.05
_POLL_MAX_S: Final = 2.0


class Flow(Protocol):
    """What an upload asks on its way: may it go on, how fast, and who wants to know how far it is."""

    def may_go_on(self, file: SpoolFile) -> bool:
        """Whether this file may be uploaded now."""
        ...

    async def turn(self, file: SpoolFile, most: int) -> int:
        """Wait for the next piece's turn; how many bytes it may have. Raises `UploadStopped`."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait; ends early, with `UploadStopped`, when nothing may be uploaded any more."""
        ...

    def reached(self, file: SpoolFile, offset: int) -> None:
        """So much of it is durable at the station."""
        ...


class Uploader:
    """Sends files of one spool to one station."""

    def __init__(
        self,
        transport: Transport,
        ledger: UploadLedger,
        flow: Flow,
        *,
        station: str,
        chunk_bytes: int,
        receipt_wait_s: float,
    ) -> None:
        self._transport = transport
        self._ledger = ledger
        self._flow = flow
        self._station = station
        self._chunk_bytes = chunk_bytes
        self._receipt_wait_s = receipt_wait_s
        self._buffer = bytearray()
        """One for all chunks: the camera has little memory, and every thread would keep its own."""
        self._ahead = HashAhead() if isinstance(transport, TusPieces) else None

    async def send(self, file: SpoolFile, directory: Path) -> str:
        """Upload what is missing; the address of the receipt.

        Raises `UploadStopped` when it may not go on, `SpoolMismatch`, `ReceiptNotReady`, a `TransportError`
        (`StationRejects` if the announcement was a bad request), or OSError if the spool cannot be read.
        """
        with _opened(directory, file) as descriptor, self._ahead or contextlib.nullcontext():
            stumbles = 0
            while True:
                try:
                    return await self._send_once(file, descriptor)
                except (UploadGone, OffsetMoved, ChecksumRefused) as error:
                    stumbles += 1
                    log.warning("uploading %s: %s", file.name, error)
                    if isinstance(error, UploadGone):
                        await asyncio.to_thread(self._ledger.forget, self._station, file.name, file.close_hash)
                    if stumbles >= _STUMBLES:
                        raise StationFailed(f"uploading {file.name} stumbled {stumbles} times: {error}") from error

    async def _send_once(self, file: SpoolFile, descriptor: int) -> str:
        upload = await self._announce(file)
        progress = await asyncio.to_thread(self._transport.offset, upload)
        offset = progress.offset
        if offset > file.bytes:
            raise StationFailed(f"{file.name}: the station has {offset} bytes of {file.bytes}")
        self._flow.reached(file, offset)
        while offset < file.bytes:
            if not self._flow.may_go_on(file):
                raise UploadStopped(f"{file.name} stopped at {offset} of {file.bytes} bytes")
            try:
                count = await self._flow.turn(file, min(self._chunk_bytes, file.bytes - offset))
            except UploadStopped as stopped:  # the same words, whether it waited or sent
                raise UploadStopped(f"{file.name} stopped at {offset} of {file.bytes} bytes: {stopped}") from stopped
            offset = await asyncio.to_thread(self._pass_on, file, descriptor, upload, offset, count)
            self._flow.reached(file, offset)
        await asyncio.to_thread(self._transport.complete, upload)
        return await self._await_receipt(file, upload)

    def _pass_on(self, file: SpoolFile, descriptor: int, upload: str, offset: int, count: int) -> int:
        """One chunk from the spool to the station; the new offset. Blocks."""
        if isinstance(self._transport, TusPieces) and self._ahead is not None:
            piece, digest = self._ahead.take(descriptor, file.name, offset, count)
            if count == self._chunk_bytes:  # at full speed: a limit gives smaller ones
                self._ahead.begin(descriptor, file.name, offset + count, min(count, file.bytes - offset - count))
            self._size_buffer(BUFFER_BYTES)
            return self._transport.append_piece(upload, piece, digest, self._buffer)
        self._size_buffer(count)
        with memoryview(self._buffer) as whole, whole[:count] as room:
            size = os.preadv(descriptor, [room], offset)
            if not size:
                raise SpoolMismatch(f"{file.name} ends at {offset}, not at {file.bytes}")
            with room[:size] as chunk:
                return self._transport.append(upload, offset, chunk)

    def _size_buffer(self, size: int) -> None:
        if len(self._buffer) < size:
            self._buffer = bytearray(size)

    async def _announce(self, file: SpoolFile) -> str:
        known = await asyncio.to_thread(self._ledger.address, self._station, file.name, file.close_hash)
        if known is not None:
            return known
        try:
            upload = await asyncio.to_thread(self._transport.create, Outgoing(file.name, file.bytes, file.close_hash))
        except StationRefused as error:
            if error.status == 400:
                raise StationRejects(str(error), error.status) from error
            raise
        await asyncio.to_thread(self._ledger.remember, self._station, file.name, file.close_hash, upload)
        return upload

    async def _await_receipt(self, file: SpoolFile, upload: str) -> str:
        wait_s, waited_s = _POLL_FIRST_S, 0.0
        while True:
            progress = await asyncio.to_thread(self._transport.offset, upload)
            if progress.offset != file.bytes:
                raise OffsetMoved(f"{file.name}: the station went back to {progress.offset}")
            if progress.receipt is not None:
                return progress.receipt
            if waited_s >= self._receipt_wait_s:
                raise ReceiptNotReady(f"no receipt for {file.name} after {waited_s:.0f} s")
            if not self._flow.may_go_on(file):
                raise UploadStopped(f"{file.name} is sent; its receipt is fetched later")
            await self._flow.pause(wait_s)
            waited_s += wait_s
            wait_s = min(2 * wait_s, _POLL_MAX_S)


@contextmanager
def _opened(directory: Path, file: SpoolFile) -> Iterator[int]:
    """The file, to read only. Raises `SpoolMismatch`, OSError."""
    parse_name(file.name)  # no path but a plain name ever gets here
    descriptor = os.open(directory / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.bytes:
            raise SpoolMismatch(f"{file.name} has {status.st_size} bytes, the recorder said {file.bytes}")
        yield descriptor
    finally:
        os.close(descriptor)

"""The seam between the upload and the protocol that carries it: our station, a foreign tus server, a bucket.

docs/design/transport.md is the contract, for whoever writes a further one. All calls block and are made in threads, one
at a time for each `Transport`; `close` may come from another thread and cuts the call under way. None of them ever
means that a file may be deleted: only a receipt does (invariants 7 and 8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Chunk = bytes | memoryview
"""Bytes to send. The caller uses the buffer anew after the call: keep a copy, never the view."""


@dataclass(frozen=True)
class Outgoing:
    """A closed file that is to be uploaded."""

    name: str
    bytes: int
    close_hash: str
    sha256: str | None = None
    """Of the whole file; a foreign target is told it, our station works it out itself."""


@dataclass(frozen=True)
class Progress:
    """Where an upload stands, as the server says."""

    offset: int
    """Bytes that need not be sent again."""
    receipt: str | None = None
    """Where its receipt is, once our station is done with the file. A foreign target never gives one."""


class Transport(Protocol):
    """Resumable upload. Every method raises a `TransportError`; an answer that is not understood is never a success."""

    def create(self, file: Outgoing) -> str:
        """Announce a file; the upload's address, which is all that is needed to go on after a restart."""
        ...

    def offset(self, upload: str) -> Progress:
        """How much of it is there. Raises `UploadGone` if it is not known any more."""
        ...

    def append(self, upload: str, offset: int, data: Chunk) -> int:
        """Send bytes, any number, for `offset`; the new offset. Raises `OffsetMoved`, `ChecksumRefused`,
        `UploadGone`."""
        ...

    def complete(self, upload: str) -> None:
        """Say that all bytes were sent; saying it again does no harm. Raises `OffsetMoved`, `UploadGone`."""
        ...

    def close(self) -> None:
        """Drop the connection."""
        ...

"""The seam between the upload and the protocol that carries it: tus now, an object store's own later.

All calls block and are made in threads, one at a time for each `Transport`. None of them ever means that a file may be
deleted: only a receipt does (invariants 7 and 8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Outgoing:
    """A closed file that is to be uploaded."""

    name: str
    bytes: int
    close_hash: str


@dataclass(frozen=True)
class Progress:
    """Where an upload stands, as the station says."""

    offset: int
    """Durable bytes there."""
    receipt: str | None = None
    """Where its receipt is, once the station is done with the file."""


class Transport(Protocol):
    """Resumable upload. Every method raises a `TransportError`; an answer that is not understood is never a success."""

    def create(self, file: Outgoing) -> str:
        """Announce a file; the upload's address. Announcing the same file again gives the same upload."""
        ...

    def offset(self, upload: str) -> Progress:
        """How much of it is durable there. Raises `UploadGone` if it is not known any more."""
        ...

    def append(self, upload: str, offset: int, data: bytes) -> int:
        """Send bytes for `offset`; the new offset. Raises `OffsetMoved`, `ChecksumRefused`, `UploadGone`."""
        ...

    def complete(self, upload: str) -> None:
        """Say that all bytes were sent. tus needs no word for it."""
        ...

    def close(self) -> None:
        """Drop the connection."""
        ...

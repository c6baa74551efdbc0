"""tus with large chunks and little memory: a chunk is hashed, and sent, through one small buffer.

A chunk is read twice, once for its SHA-256 and once for the wire, both from the page cache. That costs less than what
each further PATCH costs, and the next chunk can be hashed while this one is under way.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from typing import Final

from dock.errors import SpoolMismatch
from dock.transport.tus import TusTransport

BUFFER_BYTES: Final = 256 * 1024
"""Stays in a core's own cache between reading and hashing or encrypting."""


class Piece:
    """`size` bytes of an open file from `offset` on. The file is read anew each time."""

    def __init__(self, descriptor: int, offset: int, size: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self.offset = offset
        self.size = size

    def sha256(self, buffer: bytearray) -> bytes:
        """Its digest. Raises `SpoolMismatch`."""
        digest = hashlib.sha256()
        for block in self.blocks(buffer):
            digest.update(block)
        return digest.digest()

    def blocks(self, buffer: bytearray) -> Iterator[memoryview]:
        """All of it, through `buffer`, which is used anew for each block. Raises `SpoolMismatch`."""
        at, end = self.offset, self.offset + self.size
        with memoryview(buffer) as view:
            while at < end:
                try:
                    count = os.preadv(self._descriptor, [view[: end - at]], at)
                except OSError as error:
                    # Not an OSError any more: on the wire it would pass for trouble with the connection.
                    raise SpoolMismatch(f"{self._name} cannot be read at {at}: {error.strerror}") from error
                if not count:
                    raise SpoolMismatch(f"{self._name} ends at {at}, not at {end} or later")
                yield view[:count]
                at += count


class TusPieces(TusTransport):
    """To our station."""

    def append_piece(self, upload: str, piece: Piece, sha256: bytes, buffer: bytearray) -> int:
        """As `append`; the digest is the piece's."""
        checksum = {"Upload-Checksum": f"sha256 {base64.b64encode(sha256).decode()}"}
        return self._patch(upload, piece.offset, piece.size, piece.blocks(buffer), checksum)

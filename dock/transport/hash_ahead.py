"""The digest of the next chunk, taken while this one is on its way: hashing and the network take turns no more."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from dock.transport.tus_pieces import BUFFER_BYTES, Piece


class HashAhead:
    """One thread and one buffer. Used by one upload at a time, and ended (`with`) before its file is closed."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._buffer = bytearray()
        self._next: tuple[Piece, Future[bytes]] | None = None
        self._leaving = False

    def begin(self, descriptor: int, name: str, offset: int, size: int) -> None:
        """Start on what most likely comes next. Nothing if it is empty."""
        if size <= 0 or self._leaving:
            return
        if self._thread is None:
            self._thread, self._buffer = ThreadPoolExecutor(1, thread_name_prefix="hashing"), bytearray(BUFFER_BYTES)
        piece = Piece(descriptor, offset, size, name)
        self._next = piece, self._thread.submit(self._hash, piece)

    def take(self, descriptor: int, name: str, offset: int, size: int) -> tuple[Piece, bytes]:
        """That piece and its SHA-256, taken before or now. Raises `SpoolMismatch`."""
        ready, self._next = self._next, None
        if ready is not None and (ready[0].offset, ready[0].size) == (offset, size):
            return ready[0], ready[1].result()
        piece = Piece(descriptor, offset, size, name)
        return piece, piece.sha256(bytearray(min(size, BUFFER_BYTES)))

    def _hash(self, piece: Piece) -> bytes:
        digest = hashlib.sha256()
        for block in piece.blocks(self._buffer):
            if self._leaving:
                break  # nobody takes it
            digest.update(block)
        return digest.digest()

    def __enter__(self) -> HashAhead:
        self._leaving = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the thread, a block at most: the descriptor may be another file's soon."""
        self._next, self._leaving = None, True
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._thread = None

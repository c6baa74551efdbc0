"""One card gets an image: erased, written, read back whole, and only then made startable.

1. What lies on the card is discarded, and its first MiB (the partition table) zeroed, before anything else.
2. The image's own first MiB is written last, after all the rest was read back from the card itself and compared: a card
   that was pulled out or given up in the middle has no partition table and starts nowhere.
3. Every range is held against the SHA-256 of the block map while it is written, and against what was written
   afterwards, past the page cache.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from typing import Final

from evidence import durable
from fleet.errors import BadImage, CardFailed, FlashInterrupted
from fleet.flash.bmap import Range
from fleet.flash.card import Card
from fleet.flash.image import VerifiedImage
from fleet.flash.image_stream import PIECE, ImageStream, unpacked

HEAD: Final = 2**20
"""What is written last."""
PROVED: Final = 2**16
"""Bytes that have a hash of their own while a card is written: how exactly a bad block is told."""
_FLUSHED: Final = 16 * 2**20
_BLKDISCARD: Final = 0x1277
_BLKFLSBUF: Final = 0x1261
_PULLED: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.EIO})

Told = Callable[[int], None]
"""Gets bytes done, as they are done."""


class CardWriter:
    """An open card; the descriptor belongs to the caller."""

    def __init__(self, card: Card, descriptor: int, stop: threading.Event | None = None) -> None:
        self._card, self._descriptor, self._stop = card, descriptor, stop or threading.Event()
        self._proofs: dict[int, tuple[int, bytes]] = {}
        """Offset: length and SHA-256 of what was written there."""

    def write(self, image: VerifiedImage, told: Told) -> bytes:
        """All but the first MiB, which is answered: `write_at` puts it there. Raises `FleetError`."""
        head = bytearray()
        with self._faults():
            self._erase()
            with unpacked(image.path, image.manifest.raw_bytes) as stream:
                since = 0
                for one in image.blocks.ranges:
                    stream.skip(one.begin - stream.position)
                    since = self._range(stream, one, head, since, told)
            durable.flush(self._descriptor)
        return bytes(head)

    def _erase(self) -> None:
        if self._card.model != "file":
            with contextlib.suppress(OSError):  # not every reader can
                fcntl.ioctl(self._descriptor, _BLKDISCARD, _two(0, self._card.size_bytes))
        self._put(0, bytes(min(HEAD, self._card.size_bytes)))
        durable.flush(self._descriptor)

    def _range(self, stream: ImageStream, one: Range, head: bytearray, since: int, told: Told) -> int:
        digest = hashlib.sha256()
        while (at := stream.position) < one.end:
            self._check_stop()
            data = stream.read(min(PIECE - at % PIECE, one.end - at))
            if not data:
                raise BadImage("the image ended too early: it was changed while it was written")
            digest.update(data)
            if at < HEAD:
                head += bytes(at - len(head)) + data
            else:
                self._put(at, data)
                self._remember(at, data)
                since += len(data)
                if since >= _FLUSHED:
                    durable.flush(self._descriptor)
                    since = 0
            told(len(data))
        if digest.hexdigest() != one.sha256:
            raise BadImage("what is in the image is not what was signed: make the image and its map again")
        return since

    def write_at(self, offset: int, data: bytes) -> None:
        """Some bytes more, durable when it returns. Verify what was written before them first."""
        with self._faults():
            self._put(offset, data)
            durable.flush(self._descriptor)
        self._remember(offset, data)

    def _put(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            view, offset = view[count:], offset + count

    def _remember(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            length = min(PROVED - offset % PROVED, len(view))
            self._proofs[offset] = (length, hashlib.sha256(view[:length]).digest())
            view, offset = view[length:], offset + length

    def verify(self, told: Told) -> None:
        """Read back everything written since the last time, from the card itself.

        Raises `CardFailed` with the first bad block.
        """
        with self._faults(), self._past_the_cache() as read:
            piece, begin = b"", 0
            for offset in sorted(self._proofs):
                self._check_stop()
                length, digest = self._proofs[offset]
                if not begin <= offset or offset + length > begin + len(piece):
                    begin = offset - offset % PIECE
                    piece = read(begin)
                if hashlib.sha256(piece[offset - begin : offset - begin + length]).digest() != digest:
                    raise CardFailed(
                        f"{self._card.path} does not keep what is written to it: the {length} bytes at {offset} came "
                        f"back changed (block {offset // 512}); destroy the card and take another"
                    )
                told(length)
        self._proofs.clear()

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of the card itself; `offset` is a multiple of 512. Raises `CardFailed`."""
        found = bytearray()
        with self._faults(), self._past_the_cache() as read:
            while len(found) < count:
                at = offset + len(found)
                begin = at - at % PIECE
                piece = read(begin)[at - begin :]
                if not piece:
                    raise CardFailed(f"{self._card.path} ended before its time: destroy the card and take another")
                found += piece
        return bytes(found[:count])

    @contextlib.contextmanager
    def _past_the_cache(self) -> Iterator[Callable[[int], bytes]]:
        """A function that reads a piece at an offset, not from memory where the system lets us."""
        durable.flush(self._descriptor)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, _BLKFLSBUF, 0)
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        with contextlib.suppress(OSError):  # tmpfs, for one, has no direct reads
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_DIRECT)
        buffer = mmap.mmap(-1, PIECE)  # pages, as direct reads want them

        def read(offset: int) -> bytes:
            count = os.preadv(self._descriptor, [buffer], offset)
            return buffer[:count]

        try:
            yield read
        finally:
            buffer.close()
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise FlashInterrupted(f"{self._card.path} was given up in the middle: it starts nowhere, flash it again")

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _PULLED and not self._card.path.exists():
                raise CardFailed(f"{self._card.path} was pulled out: put it back and flash it again") from error
            if error.errno == errno.ENOSPC:
                raise CardFailed(f"{self._card.path} is full before its end: its size is a lie, destroy it") from error
            raise CardFailed(
                f"{self._card.path} does not take or give its data ({error.strerror}): was it pulled out? "
                "Put it back and flash it again, or take another card"
            ) from error


def _two(one: int, other: int) -> bytes:
    return one.to_bytes(8, "little") + other.to_bytes(8, "little")

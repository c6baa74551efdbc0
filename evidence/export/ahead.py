"""Reading a file some items ahead of who takes them, in a thread of its own: hashing and muxing use two processors."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Final, Generic, TypeVar

T = TypeVar("T")
ITEMS: Final = 16
"""At most so many wait; of objects an item holds place and digest, not the bytes."""


class HashedReader:
    """An open file that hashes what is read from it in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data

    def fileno(self) -> int:
        return self._file.fileno()


class Ahead(Generic[T]):
    """What an iterator gives, in its order, then what it raised. Leaving (`with`) ends the thread, also half-way."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(ITEMS)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def _run(self) -> None:
        try:
            for item in self._items:
                self._ready.put((item,))
                if self._leaving.is_set():
                    return
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are taken
            self._ready.put(error)

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[T]:
        while (found := self._ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)  # room for the one that it may be waiting to put
            except queue.Empty:
                continue

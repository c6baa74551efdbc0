"""The card under a camera in this process: it stands where `evidence.durable` asks the operating system.

With `installed(card)` every durable write below the card's root goes through it, every other one to the layer that was
there before. Reads are not seen here: bits that are read wrong, and reads that fail, need the mounted card.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from evidence import durable
from evidence.durable import Buffer, FileLayer
from simulator.card.card import SimulatedCard
from simulator.card.medium import Medium, PowerLost


class CardLayer:
    """A `FileLayer` for what lies on the card; `below` is for what does not."""

    def __init__(self, card: SimulatedCard, below: FileLayer, *, really_sync: bool = False) -> None:
        """With `really_sync` the host's disk is asked as well: what is measured then costs what it costs."""
        self.card = card
        self._below = below
        self._really_sync = really_sync
        self._root = str(card.medium.root.resolve())
        self._mine: dict[int, int] = {}
        """Descriptors of files on the card, and how many power cuts there had been when they were opened."""

    def open(self, path: Path, flags: int, mode: int) -> int:
        on_card = self._on_card(path)
        if on_card is None:
            return self._below.open(path, flags, mode)
        makes = flags & (os.O_CREAT | os.O_TRUNC)
        self.card.ask("name" if makes else "read")
        descriptor = self.card.medium.open(on_card, flags, mode)
        self._mine[descriptor] = self.card.cuts
        return descriptor

    def close(self, descriptor: int) -> None:
        self._mine.pop(descriptor, None)
        self._below.close(descriptor)

    def end(self) -> None:
        """Close what the camera left open: to the kernel it is a process that ended with its power."""
        for descriptor in tuple(self._mine):
            self.close(descriptor)

    def write(self, descriptor: int, parts: Sequence[Buffer]) -> int:
        if not self._is_mine(descriptor):
            return self._below.write(descriptor, parts)
        views = [memoryview(part).cast("B") for part in parts]
        taken = self.card.ask("write", sum(len(view) for view in views))
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        written = self.card.medium.write(descriptor, list(_first(views, taken)), offset)
        os.lseek(descriptor, offset + written, os.SEEK_SET)
        self.card.wrote()
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        if not self._is_mine(descriptor):
            self._below.truncate(descriptor, size)
            return
        self.card.ask("name")
        self.card.medium.truncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        if not self._is_mine(descriptor):
            self._below.allocate(descriptor, size)
            return
        self.card.ask("name")
        missing = max(0, size - os.fstat(descriptor).st_size)
        if self.card.free_bytes(missing) < missing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.card.medium.allocate(descriptor, size)

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        if not self._is_mine(descriptor):
            self._below.sync(descriptor, mode=mode)
            return
        self.card.ask("sync")
        if self._really_sync:
            self._below.sync(descriptor, mode=mode)
        self.card.medium.sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        on_card = self._on_card(Path(os.path.realpath(path)))
        if on_card is None:
            self._below.sync_directory(path)
            return
        self.card.ask("sync")
        if self._really_sync:
            self._below.sync_directory(path)
        self.card.medium.sync_directory(on_card)

    def replace(self, old: Path, new: Path) -> None:
        here, there = self._on_card(old), self._on_card(new)
        if here is None or there is None:
            self._below.replace(old, new)
            return
        self.card.ask("name")
        self.card.medium.replace(here, there)

    def link(self, old: Path, new: Path) -> None:
        here, there = self._on_card(old), self._on_card(new)
        if here is None or there is None:
            self._below.link(old, new)
            return
        self.card.ask("name")
        self.card.medium.link(here, there)

    def unlink(self, path: Path) -> None:
        on_card = self._on_card(path)
        if on_card is None:
            self._below.unlink(path)
            return
        self.card.ask("name")
        self.card.medium.unlink(on_card)

    def make_directory(self, path: Path, mode: int) -> None:
        on_card = self._on_card(path)
        if on_card is None:
            self._below.make_directory(path, mode)
            return
        self.card.ask("name")
        self.card.medium.make_directory(on_card, mode)

    def free_bytes(self, path: Path) -> int:
        real = self._below.free_bytes(path)
        return real if self._on_card(path) is None else self.card.free_bytes(real)

    def _is_mine(self, descriptor: int) -> bool:
        """Whether a file is on the card. Raises `PowerLost` for one that was opened before the last power cut."""
        opened = self._mine.get(descriptor)
        if opened is not None and opened != self.card.cuts:
            raise PowerLost
        return opened is not None

    def _on_card(self, path: Path) -> str | None:
        """The path on the card; None if it lies elsewhere. The directory's own links count, the file's does not."""
        real = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - asked for each durable write
        if real == self._root:
            return ""
        return real[len(self._root) + 1 :] if real.startswith(f"{self._root}/") else None


def _first(views: Sequence[memoryview], size: int) -> Iterator[memoryview]:
    for view in views:
        if size <= 0:
            return
        yield view[:size]
        size -= len(view)


@contextlib.contextmanager
def installed(
    root: Path, *, wait: Callable[[float], None] = time.sleep, really_sync: bool = False
) -> Iterator[SimulatedCard]:
    """A card at the directory `root` under all cameras of this process while the ``with`` block lasts."""
    card = SimulatedCard(Medium(root), wait=wait)
    below = durable.install(durable.OperatingSystem())
    durable.install(CardLayer(card, below, really_sync=really_sync))
    try:
        yield card
    finally:
        durable.install(below)
        card.medium.close()


__all__ = ["CardLayer", "PowerLost", "SimulatedCard", "installed"]

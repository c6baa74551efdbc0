"""A disk after a power cut, mounted as at the next start: its journal is replayed, as on a camera."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from recorded_card import loop_device, mount, repair, unmount
from write_log import CHUNK, Replay, Sparse, Write, WriteLog


class CutDisk:
    """One loop device on which one power cut after the other is looked at; use it as a context."""

    def __init__(self, directory: Path, base: Path, log: WriteLog) -> None:
        self.replay = Replay(Sparse.of(base), log)
        self.place = directory / "cut"
        self._images = itertools.count(1)
        self._image = directory / "cut.img"
        self._directory = directory
        self._exit = contextlib.ExitStack()
        self._device = ""
        self.repaired = 0
        """Cards that the kernel would not mount and `e2fsck` made whole, as the camera's boot has it done."""

    def __enter__(self) -> CutDisk:
        self.place.mkdir(exist_ok=True)
        self._image.touch()
        self._make_room()
        self._device = self._exit.enter_context(loop_device(self._image))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _free_device(self) -> str:
        """A loop device that nothing holds any more, so that nothing of the last cut is remembered by the kernel.

        A mount namespace that some other program began meanwhile holds a copy of our mount for as long as it lives.
        """
        try:
            os.close(os.open(self._device, os.O_RDONLY | os.O_EXCL))
        except OSError:
            self._image = self._directory / f"cut-{next(self._images)}.img"
            self._image.touch()
            self._make_room()
            self._device = self._exit.enter_context(loop_device(self._image))
        return self._device

    def _make_room(self) -> None:
        """An empty image: what the last look changed is gone."""
        os.truncate(self._image, 0)
        os.truncate(self._image, self.replay.durable.size)

    def _write(self, survivors: list[Write]) -> None:
        """The durable part with the survivors over it."""
        self._make_room()
        descriptor = os.open(self._image, os.O_RDWR)
        try:
            for number, chunk in self.replay.durable.chunks.items():
                os.pwrite(descriptor, chunk[: max(0, self.replay.durable.size - number * CHUNK)], number * CHUNK)
            for offset, data in survivors:
                os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def after_cut(self, survivors: list[Write]) -> Iterator[Path]:
        """The card as the next start finds it, if it kept these writes. Raises OSError if it cannot be mounted."""
        device = self._free_device()
        self._write(survivors)
        try:
            try:
                mount(device, self.place)
            except OSError:
                if not repair(device):
                    raise
                self.repaired += 1
                mount(device, self.place)
            yield self.place
        finally:
            unmount(self.place)

"""A disk after a power cut, mounted as at the next start: its journal is replayed, as on a camera."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

from recorded_card import loop_device, mount, repair, unmount
from write_log import CHUNK, Model, Replay, Sparse, Write, WriteLog


class CutDisk:
    """One loop device on which one power cut after the other is looked at; use it as a context."""

    def __init__(self, directory: Path, base: Path, log: WriteLog) -> None:
        self.replay = Replay(Sparse.of(base), log)
        self.place = directory / "cut"
        self._image = directory / "cut.img"
        self._directory = directory
        self._exit = contextlib.ExitStack()
        self._device = ""
        self.repaired = 0
        """Cards that the kernel would not mount and `e2fsck` made whole, as the camera's boot has it done."""

    def __enter__(self) -> CutDisk:
        self.place.mkdir(exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(self.replay.durable.size)
        self._device = self._exit.enter_context(loop_device(self._image))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        self._image.unlink(missing_ok=True)

    def _write(self, survivors: list[Write]) -> None:
        """The durable part with the survivors over it; what the last look changed is gone."""
        descriptor = os.open(self._image, os.O_RDWR)
        try:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, self.replay.durable.size)
            for number, chunk in self.replay.durable.chunks.items():
                os.pwrite(descriptor, chunk[: max(0, self.replay.durable.size - number * CHUNK)], number * CHUNK)
            for offset, data in survivors:
                os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def after_cut(self, model: Model, chance: random.Random) -> Iterator[Path]:
        """The card as the next start finds it. Raises OSError if it cannot be mounted."""
        self._write(self.replay.survivors(model, chance))
        try:
            mount(self._device, self.place)
        except OSError:
            if not repair(self._device):
                raise
            self.repaired += 1
            mount(self._device, self.place)
        try:
            yield self.place
        finally:
            unmount(self.place)

"""The storage seam over a simulated card in this process: its figures come from its faults, so they can be repeated."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import dataclass
from typing import Final

from hal.storage import MAX_PROBE_BYTES, StorageProbe, advice
from simulator.card.card import SimulatedCard

WHOLE_BYTES_PER_S: Final = 20 * 1024 * 1024
"""As fast as a card without a fault says it is."""
WHOLE_FLUSH_S: Final = 0.004


@dataclass(frozen=True, slots=True)
class CardStorage:
    """What a camera's self-test and forecast see of the card; `size_bytes` is what its label says."""

    card: SimulatedCard
    size_bytes: int = 32 * 1024**3

    @property
    def read_only(self) -> bool:
        """As the kernel mounts a card that it no longer trusts."""
        return self.card.faults.read_only

    def free_bytes(self) -> int:
        """What still fits."""
        return self.card.free_bytes(max(0, self.size_bytes - self.card.medium.used_bytes()))

    def total_bytes(self) -> int:
        return self.size_bytes

    def probe(self, size_bytes: int = 1024 * 1024) -> StorageProbe:
        """What a real probe would find; nothing is written."""
        if not 1 <= size_bytes <= MAX_PROBE_BYTES:
            raise ValueError(f"size_bytes must be 1..{MAX_PROBE_BYTES}, not {size_bytes}")
        free, total, faults = self.free_bytes(), self.size_bytes, self.card.faults
        try:
            self.card.ask("name")
            if self.card.ask("write", size_bytes) < size_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.card.ask("sync")
            self.card.ask("read", size_bytes)
        except OSError as error:
            return StorageProbe(0, False, 0, free, total, advice(self.card.medium.root, error))
        flush_s = WHOLE_FLUSH_S + faults.sync_s
        elapsed_s = size_bytes / (faults.bytes_per_s or WHOLE_BYTES_PER_S) + flush_s
        read_ok = faults.rot_every_bytes is None or faults.rot_every_bytes > size_bytes
        wrong = (
            None if read_ok else f"{self.card.medium.root}: other bytes came back than were written; replace the card"
        )
        return StorageProbe(int(size_bytes / elapsed_s), read_ok, math.ceil(flush_s * 1000), free, total, wrong)

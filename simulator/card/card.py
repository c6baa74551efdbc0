"""One simulated card: its medium, its faults, its power. Both ways to stand under a camera ask it for leave."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from simulator.card.answers import ASKS, Ask, Faults, answer, rotten
from simulator.card.medium import Medium, PowerLost
from simulator.card.model import ALL, Cut, Leftover

Fault = Literal["slow", "full", "read_only", "error", "stall", "bit_rot"]
FAULTS: Final[tuple[Fault, ...]] = ("slow", "full", "read_only", "error", "stall", "bit_rot")
Survives = Literal["nothing", "written"] | int
"""Of what was never synced: nothing; all that was written until then; or a seed, which chooses among what can be."""
_LOOK_S: Final = 0.02


@dataclass(slots=True)
class _Fuse:
    """When the power goes by itself."""

    survives: Survives
    bytes_left: int | None
    requests_left: int | None


@dataclass(frozen=True, slots=True)
class Lost:
    """What a power cut took."""

    bytes: int
    names: int


class SimulatedCard:
    """The orders of `simulator.card.orders`, and what an adapter asks before it touches the medium.

    `wait` lets so many seconds pass for whoever asks: with a virtual clock it moves that one. A stall is waited for in
    small steps.
    """

    def __init__(self, medium: Medium, *, wait: Callable[[float], None] = time.sleep) -> None:
        self.medium = medium
        self.faults = Faults()
        self.cuts = 0
        self.last_cut = Lost(0, 0)
        self.when_cut: Callable[[], None] = lambda: None
        """Called once the power is gone, on the thread that felt it first."""
        self._wait = wait
        self._fuse: _Fuse | None = None
        self._lock = threading.RLock()

    # --- orders -------------------------------------------------------------------------------------------------------

    def slow(self, bytes_per_s: float | None = None, sync_s: float = 0.0) -> None:
        """Write and read no faster than that, and take so long for each sync."""
        self.faults = replace(self.faults, bytes_per_s=bytes_per_s, sync_s=sync_s)

    def full(self, left_bytes: int = 0) -> None:
        """So many bytes more fit; what is deleted makes room."""
        self.faults = replace(self.faults, room_bytes=self.medium.used_bytes() + left_bytes)

    def read_only(self) -> None:
        """As the kernel leaves a card that it no longer trusts."""
        self.faults = replace(self.faults, read_only=True)

    def error(self, *asks: Ask) -> None:
        """These fail with EIO; all if none is named."""
        self.faults = replace(self.faults, errors=frozenset(asks or ASKS))

    def stall(self) -> None:
        """Answer nothing, as a card that tidies itself up."""
        self.faults = replace(self.faults, stalled=True)

    def bit_rot(self, every_bytes: int, seed: int = 1) -> None:
        """One bit of each so many bytes is read wrong."""
        self.faults = replace(self.faults, rot_every_bytes=every_bytes, rot_seed=seed)

    def flip_bit(self, seed: int = 1, within: str = "") -> str | None:
        """Turn one bit on the medium, for good; which one, in words. None if there is no such file."""
        return self.medium.flip_bit(seed, within)

    def heal(self, fault: Fault | None = None) -> None:
        """End one fault, or all. What was lost is not found again."""
        now, whole = self.faults, Faults()
        match fault:
            case None:
                self.faults = whole
            case "slow":
                self.faults = replace(now, bytes_per_s=None, sync_s=0.0)
            case "full":
                self.faults = replace(now, room_bytes=None)
            case "read_only":
                self.faults = replace(now, read_only=False)
            case "error":
                self.faults = replace(now, errors=frozenset())
            case "stall":
                self.faults = replace(now, stalled=False)
            case "bit_rot":
                self.faults = replace(now, rot_every_bytes=None)

    def cut(self, survives: Survives = "nothing") -> Lost:
        """The power goes at this instant: what was not synced is forgotten. Nothing works until `power_on`."""
        with self._lock:
            self._fuse = None
            if not self.medium.off:
                self.last_cut = self._forget(survives)
                self.cuts += 1
                self.when_cut()
            return self.last_cut

    def cut_after(
        self, *, written_bytes: int | None = None, requests: int | None = None, survives: Survives = "nothing"
    ) -> None:
        """The power goes by itself: in the middle of a write, after so many more bytes, or before a later request."""
        with self._lock:
            self._fuse = _Fuse(survives, written_bytes, requests)

    def power_on(self) -> None:
        """The camera gets its power back, and finds what the cut left."""
        self.medium.power_on()

    def seen(self, path: Path) -> Path:
        """Who only looks in this process asks nobody."""
        return path

    def power_is_lost(self) -> bool:
        """Whether the power is away."""
        return self.medium.off

    # --- what adapters ask --------------------------------------------------------------------------------------------

    def ask(self, what: Ask, size: int = 0) -> int:
        """Leave for one request: how many bytes of it. Waits as the card makes it wait.

        Raises OSError as the card answers, `PowerLost` if it has no power.
        """
        self._powered()
        if not self.faults.any and self._fuse is None:
            return size
        while self.faults.stalled:
            self._wait(_LOOK_S)
            self._powered()
        faults = self.faults
        used = self.medium.used_bytes() if what == "write" and faults.room_bytes is not None else 0
        said = answer(faults, what, size, used)
        if said.delay_s:
            self._wait(said.delay_s)
            self._powered()
        if said.error:
            raise OSError(said.error, os.strerror(said.error))
        return self._burn(what, said.taken)

    def wrote(self) -> None:
        """A write that `ask` allowed is on the medium; the power may go now."""
        fuse = self._fuse
        if fuse is not None and fuse.bytes_left == 0:
            self.cut(fuse.survives)
            raise PowerLost

    def free_bytes(self, real: int) -> int:
        """What still fits, if `real` bytes do on the host."""
        room = self.faults.room_bytes
        return real if room is None else min(real, max(0, room - self.medium.used_bytes()))

    def come_back(self, path: str, offset: int, data: bytes) -> bytes:
        """What is read where `data` stands."""
        return rotten(self.faults, path, offset, data)

    # --- the power ----------------------------------------------------------------------------------------------------

    def _powered(self) -> None:
        if self.medium.off:
            raise PowerLost

    def _burn(self, what: Ask, size: int) -> int:
        with self._lock:
            fuse = self._fuse
            if fuse is None:
                return size
            if fuse.requests_left is not None:
                if fuse.requests_left == 0:
                    self.cut(fuse.survives)
                    raise PowerLost
                if what != "read":
                    fuse.requests_left -= 1
            if what == "write" and fuse.bytes_left is not None:
                size = min(size, fuse.bytes_left)
                fuse.bytes_left -= size
                if size == 0:
                    self.cut(fuse.survives)
                    raise PowerLost
            return size

    def _forget(self, survives: Survives) -> Lost:
        left: Leftover
        if survives == "nothing":
            left = self.medium.cut(Cut())
        elif survives == "written":
            left = self.medium.cut(Cut(ALL, ALL))
        else:
            left = self.medium.cut_by_seed(survives)
        return Lost(left.lost_bytes, left.lost_names)

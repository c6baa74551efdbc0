"""What a recording owes its file: gaps that are not yet signed (invariant 9). Thread-safe.

Frames are lost in three places: in the source, before a full queue, and at a card that takes nothing. All of them end
here, and the next fragment, or at the latest the `close`, writes them down; what could not be written comes back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from device.fragments import Fragment


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames or time that are not recorded; times are CLOCK_BOOTTIME."""

    cause: str
    """One of `evidence.statements.GapCause`."""
    start_ns: int
    end_ns: int
    frames: int
    kept: tuple[tuple[str, str], ...] = ()
    """(name, SHA-256) of sealed objects that lie aside for it: filmed, but announced by nobody."""

    def fields(self) -> dict[str, str | int]:
        """As `EvidenceWriter.gap` takes it."""
        return {"cause": self.cause, "start_ns": self.start_ns, "end_ns": self.end_ns, "frames": self.frames}


def gap_of(cause: str, fragment: Fragment) -> Gap:
    """A whole fragment that was given up."""
    first, last = fragment.frames[0], fragment.frames[-1]
    end_ns = fragment.end_ns if fragment.end_ns is not None else last.captured_ns
    return Gap(cause, first.captured_ns, end_ns, len(fragment.frames))


@dataclass
class Losses:
    """The ledger of one recording."""

    _owed: list[Gap] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, gap: Gap) -> None:
        """Owe a gap; one that directly follows another of the same cause makes that one longer."""
        with self._lock:
            last = self._owed[-1] if self._owed else None
            if last is not None and last.cause == gap.cause and last.end_ns == gap.start_ns:
                self._owed[-1] = replace(
                    last, end_ns=gap.end_ns, frames=last.frames + gap.frames, kept=last.kept + gap.kept
                )
            else:
                self._owed.append(gap)

    def take(self) -> list[Gap]:
        """All that is owed, to be written now; give back what could not be."""
        with self._lock:
            owed, self._owed = self._owed, []
            return owed

    def give_back(self, gaps: Iterable[Gap]) -> None:
        """Owe again what `take` gave."""
        with self._lock:
            self._owed[:0] = gaps

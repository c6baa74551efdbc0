"""How large the pre-event ring may be on this board and this card (invariant 2, docs/design/ring.md). Pure.

At a trigger the whole ring must be durable within 3 s, while the live picture goes on; and the ring must leave the
board the memory that everything else needs. What fits less than the policy asks is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FLUSH_S: Final = 3
MEMORY_SHARE: Final = 4
"""The ring gets at most a quarter of the free memory: the writer's queue, the encoder and the system need the rest."""
LEAST_BYTES: Final = 2**20
"""However slow the card is, a few seconds are kept: better late on the card than never filmed."""
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Board:
    """What was measured; None = not known, which limits nothing."""

    card_bytes_per_s: int | None
    """What the last probe of the card wrote durably."""
    memory_bytes: int | None
    """Free for programs, the ring's own present bytes included."""
    bytes_per_s: int | None
    """What all cameras together deliver at present."""


@dataclass(frozen=True, slots=True)
class RingLimit:
    """The limit of all rings of a camera together."""

    most_bytes: int
    by: Literal["policy", "card", "memory"]
    fits_s: int | None
    """Whole seconds at the present bit rate; None if that is not known."""
    whole: bool
    """The seconds of the policy fit, as far as is known."""
    words: str
    """For people: the self-test's row, and the metadata of a recording with a short ring."""


def ring_limit(pre_event_s: int, ring_mib: int, board: Board) -> RingLimit:
    """The smallest of what the policy, the card and the memory allow."""
    found: list[tuple[int, Literal["policy", "card", "memory"], str]] = [
        (ring_mib * MIB, "policy", f"the profile allows {ring_mib} MiB")
    ]
    if board.card_bytes_per_s is not None:
        spare = board.card_bytes_per_s - (board.bytes_per_s or 0)
        found.append((FLUSH_S * max(0, spare), "card", f"the card writes {board.card_bytes_per_s / MIB:.1f} MiB/s"))
    if board.memory_bytes is not None:
        free = board.memory_bytes
        found.append((free // MEMORY_SHARE, "memory", f"{free // MIB} MiB of memory are free"))
    most, by, why = min(found, key=lambda one: one[0])
    most = max(LEAST_BYTES, most)
    fits_s = most // board.bytes_per_s if board.bytes_per_s else None
    whole = fits_s is None or fits_s >= pre_event_s
    asked = f"{pre_event_s} s configured"
    words = f"{asked}, up to {most / MIB:.0f} MiB fit" if whole else f"{asked}, {fits_s} s fit: {why}"
    return RingLimit(most, by, fits_s, whole, words)

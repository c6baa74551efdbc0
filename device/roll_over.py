"""When a recording goes on in a new file: gapless roll-over (R22, docs/design/ring.md). Pure.

A recording has no upper limit, but its files have: so many hours, or so many bytes. The next file begins with a key
frame of its own, and the numbers of the frames show that none is missing and none is in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from device.fragments import Fragment

SOUND_WAITS_NS: Final = 400_000_000
"""Sound comes later than its picture: the old file's last fragment waits this long for it (invariant 3 leaves 1 s)."""
STATEMENTS_BYTES: Final = 4096
"""What statements and envelopes add to each fragment on the card, about."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How large one evidence file may become."""

    longest_ns: int
    """From its first frame's capture, nanoseconds."""
    most_bytes: int

    def reached(self, age_ns: int, size_bytes: int) -> bool:
        """True if the recording should go on in a new file from the next key frame on."""
        return age_ns >= self.longest_ns or size_bytes >= self.most_bytes


def bytes_on_card(fragment: Fragment) -> int:
    """About how many bytes a fragment takes in its file."""
    return fragment.bytes + STATEMENTS_BYTES

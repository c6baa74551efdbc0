"""What is wrong with what the camera hears, by its newest piece of sound once a second (R3, R29). Pure.

A living microphone is never digitally silent, and never at full scale for seconds on end. Sound that is missing, silent
or clipped is a fault of the recording, not a quiet street.
"""

from __future__ import annotations

from typing import Final, Literal

from hal.microphone import EncodedSound

Trouble = Literal["dead", "silent", "clipped"]

SILENT_DBFS: Final = -90.0
"""A 16-bit converter's own noise is louder."""
CLIPPED_DBFS: Final = -0.1
SKEW_LIMIT_US: Final = 185_000
"""Sound and picture may be apart by so much at most (ITU-R BT.1359: acceptable from 90 ms early to 185 ms late)."""
NS: Final = 1_000_000_000
LASTS_NS: Final[dict[Trouble, int]] = {"dead": 2 * NS, "silent": 2_500_000_000, "clipped": 10 * NS}
"""How long it must be so before it counts: a dead microphone is known within 5 s."""
OVER_NS: Final = 2 * NS


def trouble_of(level_dbfs: float) -> Trouble | None:
    """What one piece of sound says by its peak level."""
    if level_dbfs <= SILENT_DBFS:
        return "silent"
    return "clipped" if level_dbfs >= CLIPPED_DBFS else None


class SoundWatch:
    """Looks at the newest sound about once a second, and says what has lasted."""

    def __init__(self, now_ns: int) -> None:
        self.trouble: Trouble | None = None
        self.since_ns: int | None = None
        """When that began, CLOCK_BOOTTIME."""
        self._candidate: Trouble | None = None
        self._candidate_since_ns = now_ns
        self._began_ns = now_ns

    def look(self, newest: EncodedSound | None, now_ns: int) -> None:
        """Take the newest piece of sound that has arrived, if any has."""
        newest_ns = max(self._began_ns, newest.captured_ns if newest is not None else 0)
        found: Trouble | None
        if newest is None or now_ns - newest.captured_ns >= LASTS_NS["dead"]:
            found = "dead" if now_ns - newest_ns >= LASTS_NS["dead"] else self.trouble
        else:
            found = trouble_of(newest.level_dbfs)
        if found != self._candidate:
            self._candidate, self._candidate_since_ns = found, newest_ns if found == "dead" else now_ns
        lasted_ns = now_ns - self._candidate_since_ns
        if found != self.trouble and lasted_ns >= (OVER_NS if found is None else LASTS_NS[found]):
            self.trouble = found
            self.since_ns = None if found is None else self._candidate_since_ns

    def forget(self, now_ns: int) -> None:
        """Begin anew: nobody listened meanwhile."""
        self.trouble = self.since_ns = self._candidate = None
        self._candidate_since_ns = self._began_ns = now_ns

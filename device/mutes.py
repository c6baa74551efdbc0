"""When the sound was muted: intervals of capture time, kept as long as a recording or the ring may need them. Pure.

A mute counts from the instant at which it was asked for, whatever has been heard of that time already (R24).
"""

from __future__ import annotations

from typing import Final

MAX_ROWS: Final = 2_000

Row = list[int | None]
"""[from, to] in CLOCK_BOOTTIME nanoseconds; `to` is None while it lasts."""


class Mutes:
    """All mutes of one camera since it was started, the newest last."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    @property
    def now(self) -> bool:
        """True while a mute lasts."""
        return bool(self._rows) and self._rows[-1][1] is None

    def begin(self, at_ns: int) -> Row | None:
        """Mute from that instant on; None if it is muted already."""
        if self.now:
            return None
        row: Row = [at_ns, None]
        self._rows.append(row)
        del self._rows[:-MAX_ROWS]
        return row

    def end(self, at_ns: int) -> bool:
        """Unmute; False if it was not muted."""
        if not self.now:
            return False
        since_ns = self._rows[-1][0]
        assert since_ns is not None
        self._rows[-1][1] = max(since_ns, at_ns)
        return True

    def cover(self, at_ns: int) -> bool:
        """Whether sound that was captured then must not be kept."""
        for since_ns, until_ns in reversed(self._rows):
            assert since_ns is not None
            if at_ns >= since_ns:
                return until_ns is None or at_ns < until_ns
        return False

    def since(self, begin_ns: int) -> list[Row]:
        """The rows that reach beyond that instant; they change as long as they last."""
        return [row for row in self._rows if row[1] is None or row[1] > begin_ns]


def rows_until(rows: list[Row], end_ns: int) -> list[list[int]]:
    """Rows as they stand in the metadata of a recording that ended then."""
    found: list[list[int]] = []
    for since_ns, until_ns in rows:
        assert since_ns is not None
        if since_ns < end_ns:
            found.append([since_ns, end_ns if until_ns is None else min(until_ns, end_ns)])
    return found

"""Keeps the ring as large as card and memory allow, and says in the self-test how much that is (row `buffer`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from device.part import Part
from device.ring_limit import Board, RingLimit, ring_limit
from device.selftest import Check, Seen
from hal import program_time
from hal.memory import available_bytes

if TYPE_CHECKING:
    from device.daemon import Daemon

PROBE_WAIT_S: Final = 2.5
"""How long the row waits for the probe of the row `storage`, which runs beside it."""


class RingKeeper(Part):
    """The limit of the ring on this board, which follows each probe of the card."""

    name = "ring"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._card_bytes_per_s: int | None = None
        self._probed = threading.Event()

    def begin(self) -> None:
        self._keep()

    def probed(self, write_bytes_per_s: int) -> None:
        """The card was measured. Any thread."""
        if write_bytes_per_s > 0:
            self._card_bytes_per_s = write_bytes_per_s
        self._keep()
        self._probed.set()

    def checks(self) -> Sequence[Check]:
        self._probed.clear()
        return (("buffer", self.buffer),)

    def buffer(self) -> Seen:
        """How much of the pre-event time fits, and how much is there."""
        program_time.wait(self._probed, PROBE_WAIT_S)
        limit = self._keep()
        held_s = self.daemon.recorder.buffered_ns() / 1e9
        wanted = f"{self.daemon.profile.profile.pre_event_s} s"
        value = f"{limit.words}; {held_s:.0f} s held"
        advice = "use a faster card, a lower bit rate or fewer seconds in the profile"
        return Seen("pass" if limit.whole else "fail", value, wanted, advice)

    def _keep(self) -> RingLimit:
        """Measure and apply. Any thread."""
        recorder, policy = self.daemon.recorder, self.daemon.profile.profile
        held, span_ns = recorder.ring_bytes, recorder.buffered_ns()
        rate = held * 10**9 // span_ns if span_ns > 10**9 else None
        memory = available_bytes()
        board = Board(self._card_bytes_per_s, memory + held if memory is not None else None, rate)
        limit = ring_limit(policy.pre_event_s, policy.ring_mib, board)
        recorder.limit_ring(limit.most_bytes, None if limit.by == "policy" and limit.whole else limit.words)
        return limit

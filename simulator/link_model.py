"""How long bytes take over a network: latency, jitter, loss and rate, as TCP lets a program feel them. Pure.

A lost packet does not lose bytes: TCP sends it again, and everything behind it waits. So loss is a stall here, doubled
each time that the same packet is lost again (RFC 6298, section 5). What this is not: no window grows or shrinks, so a
line that only loses is somewhat faster here than a real one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

PACKET_BYTES: Final = 1448
"""What a TCP packet carries over Ethernet."""
LEAST_STALL_S: Final = 0.2
"""Linux waits at least so long before it sends a packet again."""
_MOST_TRIES: Final = 6


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a link is like, each way."""

    latency_s: float = 0.0
    """One way."""
    jitter_s: float = 0.0
    """At most so much more, evenly spread; nothing overtakes."""
    loss: float = 0.0
    """Share of packets that are lost, 0 to 1."""
    bytes_per_s: float = 0.0
    """0: as fast as it comes."""


PERFECT: Final = Conditions()


class Wire:
    """The rate that all connections of one direction share."""

    def __init__(self) -> None:
        self._free_s = 0.0

    def sent_s(self, now_s: float, size_bytes: int, bytes_per_s: float) -> float:
        """When so many bytes, put on the wire at `now_s`, have left."""
        if bytes_per_s <= 0:
            return now_s
        self._free_s = max(now_s, self._free_s) + size_bytes / bytes_per_s
        return self._free_s


class Way:
    """One direction of one connection. Time is passed in, and the same seed delays alike."""

    def __init__(self, seed: int | str, wire: Wire | None = None) -> None:
        self._random = random.Random(seed)
        self._wire = wire or Wire()
        self._free_s = 0.0
        self._last_s = 0.0

    def free_s(self) -> float:
        """When the sender is through with all it was given so far."""
        return self._free_s

    def arrives_s(self, now_s: float, size_bytes: int, conditions: Conditions) -> float:
        """When the last of so many bytes, given to the sender at `now_s`, is there."""
        sent_s = max(self._free_s, self._wire.sent_s(now_s, size_bytes, conditions.bytes_per_s))
        self._free_s = sent_s + self._stalls_s(size_bytes, conditions)
        jitter_s = self._random.uniform(0.0, conditions.jitter_s) if conditions.jitter_s > 0 else 0.0
        self._last_s = max(self._last_s, self._free_s + conditions.latency_s + jitter_s)
        return self._last_s

    def _stalls_s(self, size_bytes: int, conditions: Conditions) -> float:
        if conditions.loss <= 0:
            return 0.0
        first_s = max(LEAST_STALL_S, 3 * conditions.latency_s)
        total_s = 0.0
        for _ in range(-(-size_bytes // PACKET_BYTES)):
            stall_s = first_s
            for _ in range(_MOST_TRIES):
                if self._random.random() >= conditions.loss:
                    break
                total_s += stall_s
                stall_s *= 2
        return total_s

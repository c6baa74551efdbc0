"""The bandwidth limit: a token bucket that all connections share. Bytes of evidence are counted, not headers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from hal import program_time

BURST_S: Final = 1.0
"""A pause earns at most this much."""
LEAST_BYTES: Final = 4096
"""Smallest piece: below it headers would cost more than the evidence."""


class Bandwidth:
    """Says how long to wait before sending. Calls from any thread; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = program_time.monotonic_s) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes_s: float | None = None
        self._free_at = 0.0

    def limit(self, kbit_s: int | None) -> None:
        """From now on at most so many kilobits (1000 bits) in a second; None: no limit."""
        with self._lock:
            bytes_s = None if kbit_s is None else kbit_s * 125.0
            if bytes_s != self._bytes_s:
                self._bytes_s, self._free_at = bytes_s, self._clock()

    def piece(self, most: int) -> int:
        """How many bytes to send in one go: about a second's worth, so that a slow link is used evenly."""
        bytes_s = self._bytes_s
        return most if bytes_s is None else min(most, max(LEAST_BYTES, int(bytes_s * BURST_S)))

    def reserve(self, count: int) -> float:
        """Count bytes that are about to be sent; seconds to wait before that."""
        with self._lock:
            if self._bytes_s is None:
                return 0.0
            now = self._clock()
            begin = max(self._free_at, now - BURST_S)
            self._free_at = begin + count / self._bytes_s
            return max(0.0, begin - now)

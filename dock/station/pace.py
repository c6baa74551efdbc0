"""A token bucket: no more than so many kilobits a second, and an end at once when the station stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from dock.errors import StoreStopped
from hal import program_time

Pace = Callable[[int], None]
"""Called before each block with its bytes: waits for its turn, or raises `StoreStopped`."""
_BURST_S: Final = 0.5


def no_pace(_: int) -> None:
    """As fast as it goes."""


class TokenBucket:
    """`kbit_s` 0 is no limit. From any thread; all of them share the rate."""

    def __init__(
        self, kbit_s: int, stopped: threading.Event, *, monotonic: Callable[[], float] = program_time.monotonic_s
    ) -> None:
        self._bytes_s = kbit_s * 125
        self._stopped = stopped
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._paid_until = monotonic()
        """When everything that was sent so far will have been paid for at this rate."""

    def __call__(self, size: int) -> None:
        if self._stopped.is_set():
            raise StoreStopped("the station stops")
        if not self._bytes_s:
            return
        with self._lock:
            now = self._monotonic()
            self._paid_until = max(self._paid_until, now - _BURST_S) + size / self._bytes_s
            wait_s = self._paid_until - now
        if wait_s > 0 and self._stopped.wait(wait_s):
            raise StoreStopped("the station stops")

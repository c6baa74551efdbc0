"""How often one address may try to log in: a bucket of tries that fills up again. Bounded in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

ADDRESSES_MOST: Final = 4096


class Throttle:
    """`burst` tries at once, then one each `every_s` seconds, for each address."""

    def __init__(self, clock_s: Callable[[], float], *, burst: int, every_s: float) -> None:
        self._clock_s = clock_s
        self._burst = burst
        self._every_s = every_s
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """0 if it may try now (and the try is counted), else seconds until it may."""
        now_s = self._clock_s()
        used, since_s = self._used.pop(address, (0.0, now_s))
        used = max(0.0, used - (now_s - since_s) / self._every_s)
        allowed = used + 1 <= self._burst
        self._used[address] = (used + 1 if allowed else used, now_s)
        while len(self._used) > ADDRESSES_MOST:
            self._used.popitem(last=False)
        return 0.0 if allowed else (used + 1 - self._burst) * self._every_s

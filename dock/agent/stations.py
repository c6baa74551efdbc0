"""Which station to go to: the configured one, or others of its system while it is away, full or untrusted (R6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dock.agent.backoff import Backoff
from hal import program_time


@dataclass
class _One:
    url: str
    backoff: Backoff
    not_before_s: float = float("-inf")


class Stations:
    """Each has waits of its own, so that a dead one is not knocked at more often for having a neighbour."""

    def __init__(
        self,
        urls: Sequence[str],
        new_backoff: Callable[[], Backoff],
        clock: Callable[[], float] = program_time.monotonic_s,
    ) -> None:
        self._all = [_One(url, new_backoff()) for url in dict.fromkeys(urls)]
        self._clock = clock

    def next(self) -> tuple[str, float]:
        """The address to try and the seconds to wait before that: the first one that may be tried now."""
        now = self._clock()
        ready = next((one for one in self._all if one.not_before_s <= now), None)
        chosen = ready or min(self._all, key=lambda one: one.not_before_s)
        return chosen.url, max(0.0, chosen.not_before_s - now)

    def failed(self, url: str, least_s: float = 0.0) -> float:
        """Try that one later; the seconds until then, at least `least_s`."""
        one = self._find(url)
        wait_s = max(least_s, one.backoff.next_s())
        one.not_before_s = self._clock() + wait_s
        return wait_s

    def worked(self, url: str) -> None:
        """It stored something."""
        one = self._find(url)
        one.backoff.reset()
        one.not_before_s = float("-inf")

    def _find(self, url: str) -> _One:
        return next(one for one in self._all if one.url == url)

"""In which order files go: critical first, then normal, then logs; the oldest number first (R31)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from dock.agent.backoff import Backoff
from evidence.handover import SpoolFile
from evidence.statements import UploadClass

_RANK: Final[dict[UploadClass, int]] = {"critical": 0, "normal": 1, "log": 2}


class UploadQueue:
    """Chooses the next file. A file that failed waits its own time, and never holds up the others."""

    def __init__(self, new_backoff: Callable[[], Backoff], clock: Callable[[], float] = time.monotonic) -> None:
        self._new_backoff = new_backoff
        self._clock = clock
        self._waits: dict[tuple[str, str], tuple[Backoff, float]] = {}

    def next(self, files: Iterable[SpoolFile]) -> SpoolFile | None:
        """The file to upload now, or None."""
        waiting = [file for file in files if file.state == "waiting"]
        present = {(file.name, file.close_hash) for file in waiting}
        self._waits = {key: wait for key, wait in self._waits.items() if key in present}
        now = self._clock()
        ready = [file for file in waiting if self._not_before(file) <= now]
        return min(ready, key=lambda file: (_RANK[file.upload_class], file.number, file.name), default=None)

    def postpone(self, file: SpoolFile) -> float:
        """Try it again later, each time later; the seconds until then."""
        key = (file.name, file.close_hash)
        backoff = self._waits[key][0] if key in self._waits else self._new_backoff()
        wait_s = backoff.next_s()
        self._waits[key] = (backoff, self._clock() + wait_s)
        return wait_s

    def _not_before(self, file: SpoolFile) -> float:
        found = self._waits.get((file.name, file.close_hash))
        return found[1] if found else float("-inf")

"""In which order files go: critical first, then normal, then logs; the oldest number first (R31)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from dock.agent.backoff import Backoff
from evidence.handover import SpoolFile
from evidence.statements import UploadClass
from hal import program_time

_RANK: Final[dict[UploadClass, int]] = {"critical": 0, "normal": 1, "log": 2}
Key = tuple[str, str]
"""Name and close hash of a file."""


def key_of(file: SpoolFile) -> Key:
    return file.name, file.close_hash


class UploadQueue:
    """Chooses the next file. A file that failed waits its own time, and never holds up the others."""

    def __init__(
        self, new_backoff: Callable[[], Backoff], clock: Callable[[], float] = program_time.monotonic_s
    ) -> None:
        self._new_backoff = new_backoff
        self._clock = clock
        self._waits: dict[Key, tuple[Backoff, float]] = {}

    def next(
        self,
        files: Iterable[SpoolFile],
        *,
        classes: Collection[UploadClass] = tuple(_RANK),
        but: Collection[Key] = (),
    ) -> SpoolFile | None:
        """The file to upload now, or None: of those classes, and none that is in work (`but`)."""
        waiting = [file for file in files if file.state == "waiting"]
        present = {key_of(file) for file in waiting}
        self._waits = {key: wait for key, wait in self._waits.items() if key in present}
        now = self._clock()
        ready = (file for file in waiting if self._not_before(file) <= now)
        return min(
            (file for file in ready if file.upload_class in classes and key_of(file) not in but),
            key=lambda file: (_RANK[file.upload_class], file.number, file.name),
            default=None,
        )

    def postpone(self, file: SpoolFile, least_s: float = 0.0) -> float:
        """Try it again later, each time later; the seconds until then."""
        key = key_of(file)
        backoff = self._waits[key][0] if key in self._waits else self._new_backoff()
        wait_s = max(least_s, backoff.next_s())
        self._waits[key] = (backoff, self._clock() + wait_s)
        return wait_s

    def hurry(self) -> None:
        """Something has changed: every file may be tried at once."""
        now = self._clock()
        self._waits = {key: (backoff, min(at, now)) for key, (backoff, at) in self._waits.items()}

    def _not_before(self, file: SpoolFile) -> float:
        found = self._waits.get(key_of(file))
        return found[1] if found else float("-inf")

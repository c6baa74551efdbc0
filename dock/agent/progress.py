"""How far the offload is: bytes, speed of the last half minute, minutes left (R30). Pure but for its clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from dock.agent.permission import Permission
from dock.agent.queue import Key, key_of
from evidence.handover import SpoolFile
from evidence.requests import Offloading
from hal import program_time

WINDOW_S: Final = 30.0
_TROUBLE_CHARS: Final = 128


class Speed:
    """Bytes per second over the last half minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: deque[tuple[float, int]] = deque()

    def count(self, sent: int) -> None:
        """So many bytes have just arrived."""
        self._sent.append((self._clock(), sent))

    def bytes_per_s(self) -> int:
        """0 while nothing moves. A transfer that has just begun is measured over at least a second."""
        now = self._clock()
        while self._sent and self._sent[0][0] <= now - WINDOW_S:
            self._sent.popleft()
        if not self._sent:
            return 0
        return int(sum(sent for _, sent in self._sent) / max(1.0, now - self._sent[0][0]))


class Progress:
    """What the agent tells the recorder and the station. Used on the loop only."""

    def __init__(self, clock: Callable[[], float] = program_time.monotonic_s) -> None:
        self._speed = Speed(clock)
        self._files: tuple[SpoolFile, ...] = ()
        self._offsets: dict[Key, int] = {}
        self._current: dict[Key, str] = {}
        self.oldest_s = 0
        """How long the oldest recording has waited, as the recorder counts it."""
        self.trouble: str | None = None
        """Why nothing moves, if something is wrong."""
        self.on_file: Callable[[], None] = lambda: None
        """Called at each change of file."""

    def listed(self, files: Sequence[SpoolFile]) -> None:
        """These files wait."""
        self._files = tuple(files)
        present = {key_of(one) for one in files}
        self._offsets = {key: offset for key, offset in self._offsets.items() if key in present}

    def reached(self, file: SpoolFile, offset: int) -> None:
        """So many bytes of it are durable at the station."""
        key = key_of(file)
        if key not in self._current:
            self._current[key] = file.name
            self.on_file()
        else:
            self._speed.count(max(0, offset - self._offsets.get(key, 0)))
        self._offsets[key] = offset
        self.trouble = None

    def offset(self, file: SpoolFile) -> int:
        """How much of it is durable at the station, as far as we know."""
        return self._offsets.get(key_of(file), 0)

    def let_go(self, file: SpoolFile) -> None:
        """It is not in work any more."""
        if self._current.pop(key_of(file), None) is not None:
            self.on_file()

    def done(self, file: SpoolFile) -> None:
        """It waits no more."""
        self._files = tuple(one for one in self._files if key_of(one) != key_of(file))
        self.on_file()

    def now(self, permission: Permission, settled: Collection[Key] = ()) -> Offloading:
        """The account of this moment. Files that are `settled` wait for a person, and move no more."""
        waiting = [one for one in self._files if key_of(one) not in settled]
        left = sum(max(0, one.bytes - self._offsets.get(key_of(one), 0)) for one in waiting)
        bytes_per_s = self._speed.bytes_per_s() if permission.granted else 0
        trouble = self.trouble if permission.granted else permission.why
        return Offloading(
            files=len(self._files),
            bytes=left,
            bytes_per_s=bytes_per_s,
            minutes_left=-(-left // (60 * bytes_per_s)) if bytes_per_s else None,
            current=next(iter(self._current.values()), None),
            oldest_s=self.oldest_s,
            over=permission.over,
            trouble=trouble[:_TROUBLE_CHARS] if trouble and self._files else None,
        )

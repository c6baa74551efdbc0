"""What waits on the camera, as the recorder lists it, and which of it is in work (R30, R31)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from dock.agent.ledger import Settled, UploadLedger
from dock.agent.queue import Key, UploadQueue, key_of
from dock.agent.recorder_client import RecorderClient
from evidence.handover import SpoolFile
from evidence.statements import UploadClass
from hal import program_time


class Backlog:
    """Files that wait, and the turn of each. Used on the loop only."""

    def __init__(
        self,
        recorder: RecorderClient,
        ledger: UploadLedger,
        queue: UploadQueue,
        *,
        ask_again_s: float,
        utc_s: Callable[[], float] = program_time.utc_s,
        clock: Callable[[], float] = program_time.monotonic_s,
    ) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self.queue = queue
        self._ask_again_s = ask_again_s
        self._utc_s = utc_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._settled: dict[Key, Settled] = {(one.name, one.close_hash): one for one in ledger.settled()}
        self._listed_s = float("-inf")
        self._done: set[Key] = set()
        """Taken care of since the last listing."""
        self.in_work: set[Key] = set()
        self.directory = Path()
        self.files: tuple[SpoolFile, ...] = ()
        """Those that wait for a receipt, the settled ones too."""

    async def refresh(self, max_age_s: float = 0.0) -> None:
        """Ask the recorder, unless it was asked a moment ago. Raises `dock.agent.watch.RECORDER_TROUBLE`."""
        async with self._lock:
            if self._clock() - self._listed_s < max_age_s:
                return
            self._done = set()
            spool = await self._recorder.spool()
            self.directory = Path(spool.directory)
            # What got its receipt while the list was under way may still stand in it.
            self.files = tuple(one for one in spool.files if one.state == "waiting" and key_of(one) not in self._done)
            self._listed_s = self._clock()
        # One that is gone, or whose receipt the recorder took after all, is settled no more.
        for key in self._settled.keys() - {key_of(one) for one in spool.files if one.state == "waiting"}:
            self._settled.pop(key, None)
            await asyncio.to_thread(self._ledger.unsettle, *key)

    @property
    def listed(self) -> bool:
        """The recorder has told what waits."""
        return self._listed_s > float("-inf")

    def wanted(self, classes: Collection[UploadClass]) -> bool:
        """Whether there is a file of these classes to upload now."""
        files = [one for one in self.files if self._may_ask(key_of(one), None)]
        return self.queue.next(files, classes=classes, but=self.in_work) is not None

    def claim(self, classes: Collection[UploadClass], said: str) -> SpoolFile | None:
        """The next file, now in work until `release`; `said` is what the station says of itself."""
        files = [one for one in self.files if self._may_ask(key_of(one), said)]
        file = self.queue.next(files, classes=classes, but=self.in_work)
        if file is not None:
            self.in_work.add(key_of(file))
        return file

    def release(self, file: SpoolFile) -> None:
        """It is not in work any more."""
        self.in_work.discard(key_of(file))

    async def done(self, file: SpoolFile) -> None:
        """Its receipt was taken: it does not wait any more."""
        key = key_of(file)
        self._done.add(key)
        self.files = tuple(one for one in self.files if key_of(one) != key)
        self.queue.postpone(file)  # in case the recorder still lists it as waiting
        if self._settled.pop(key, None) is not None:
            await asyncio.to_thread(self._ledger.unsettle, *key)

    def settle(self, one: Settled) -> bool:
        """Not again until `ask_again_s` has passed. Whether it is news. Blocks for the ledger."""
        key = (one.name, one.close_hash)
        before = self._settled.get(key)
        one = one if before is None else replace(one, since_s=before.since_s)
        self._settled[key] = one
        self._ledger.settle(one)
        told = ("verdict", "reason", "receipt")
        return before is None or any(getattr(before, name) != getattr(one, name) for name in told)

    def settled(self) -> list[Settled]:
        """Files that stay until somebody does something, by name."""
        return [self._settled[key] for key in sorted(self._settled)]

    def hurry(self) -> None:
        """Something has changed that may change answers: ask about every file at once."""
        self.queue.hurry()
        for key, one in self._settled.items():
            self._settled[key] = replace(one, asked_s=0.0)

    def _may_ask(self, key: Key, said: str | None) -> bool:
        one = self._settled.get(key)
        if one is None or (one.verdict == "rejected" and said is not None and one.told_by != said):
            return True
        passed_s = self._utc_s() - one.asked_s
        return not 0 <= passed_s < self._ask_again_s  # a clock that jumped back asks once too often, never too rarely

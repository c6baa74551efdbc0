"""How much of a time this machine gave to whoever ran on it: for tests of a time that is a requirement.

A camera has its board for itself; a test's camera shares a machine with other tests. Beside it runs a witness that does
what a recording needs least: it wakes up, works a little, and makes a few bytes durable. What it was kept waiting, and
how much slower it worked than its own processor time, is the machine's. On a machine that is free nothing comes off.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from camera_bench import SECOND, boottime_ns

PAUSE_S = 0.1
SYNC_EVERY = 2
WORK = bytes(8 * 2**20)
"""Some milliseconds of work: less would be done before anybody else had a turn."""


@dataclass(frozen=True)
class Turn:
    """One turn of the witness."""

    began_ns: int
    ended_ns: int
    waited_ns: int
    """For its turn, and for the disk."""
    worked_ns: int
    processor_ns: int
    """Of what it worked."""


class FairTime:
    """`begin`, and then `own_s` of any time since; `end`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "witness"
        self._turns: list[Turn] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def begin(self) -> FairTime:
        self._thread.start()
        return self

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def own_s(self, from_ns: int, to_ns: int) -> float:
        """So much of the time between two moments (CLOCK_BOOTTIME) was the camera's own, in seconds."""
        turns = [one for one in tuple(self._turns) if one.ended_ns > from_ns and one.began_ns < to_ns]
        waited_ns = sum(one.waited_ns for one in turns)
        share = sum(one.processor_ns for one in turns) / max(1, sum(one.worked_ns for one in turns)) if turns else 1.0
        return max(0, to_ns - from_ns - waited_ns) * min(1.0, share) / SECOND

    def _run(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            number = 0
            while True:
                began_ns = boottime_ns()
                if self._ending.wait(PAUSE_S):
                    return
                woken_ns, processor_ns = boottime_ns(), time.thread_time_ns()
                hashlib.sha256(WORK).digest()
                worked_ns, processor_ns = boottime_ns() - woken_ns, time.thread_time_ns() - processor_ns
                waited_ns = woken_ns - began_ns - int(PAUSE_S * SECOND)
                number += 1
                if number % SYNC_EVERY == 0:
                    syncs_ns = boottime_ns()
                    os.pwrite(descriptor, WORK[:4096], 0)
                    os.fdatasync(descriptor)
                    waited_ns += boottime_ns() - syncs_ns
                self._turns.append(Turn(began_ns, boottime_ns(), waited_ns, worked_ns, processor_ns))
        finally:
            os.close(descriptor)

"""The one writer thread: it seals, signs, writes and syncs everything that becomes durable on the camera.

Jobs are done in order. All jobs that wait are appended before the batch is committed: one write and one fdatasync for
each file. The queue is bounded in bytes; when it is full the job is refused and whoever made it must account for what
is lost (a signed `gap`): the outcome of "fell behind" is defined (design, "Threads and processes").
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hal import program_time

log = logging.getLogger("firsthand.writer")

BATCH_BYTES: Final = 8 * 1024 * 1024
BATCH_FRAGMENTS: Final = 8
"""With a slow key a batch must end soon, so that its pictures become durable (docs/design/keys.md)."""
RETRY_S: Final = 0.5
PATIENCE_NS: Final = 30_000_000_000
"""After something was given up nobody is made to wait again for this long: a dead log must not delay the pictures."""
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Durable(Protocol):
    """A file that gathers a batch and commits it."""

    def commit(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to append. `run` gathers it into a file and returns the file; it may be run again after a failure."""

    name: str
    run: Callable[[], Durable | None]
    bytes: int = 0
    done: Callable[[], None] | None = None
    """Called on the writer thread once the batch is durable."""
    lost: Callable[[OSError], None] | None = None
    """Called on the writer thread when the job is given up: the storage does not take it."""
    alone: bool = False
    """In a batch of its own: everything before it is durable or given up when it runs."""


class Writer:
    """A thread with a bounded queue.

    `make_room` is called on a full card; True if it freed something. Its argument says whether the reserve may be
    used: never for pictures, so that the end of the recording and the log's word about it still fit. `on_trouble` is
    told each storage error, and None when writing works again.
    """

    def __init__(
        self,
        max_bytes: int,
        *,
        make_room: Callable[[bool], bool],
        on_trouble: Callable[[OSError | None], None],
        retries: int = 3,
    ) -> None:
        self._max_bytes = max_bytes
        self._make_room = make_room
        self._on_trouble = on_trouble
        self._retries = retries
        self._queue: deque[Job] = deque()
        self._bytes = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._working = False
        """Jobs wait or are being done: simulated time waits for them."""
        self._number = 0
        self._trouble: OSError | None = None
        self._impatient_until_ns = 0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True while the thread runs (the service watchdog asks)."""
        return self._thread.is_alive()

    @property
    def trouble(self) -> OSError | None:
        """The storage's error from its first one until something is durable again."""
        return self._trouble

    def put(self, job: Job) -> bool:
        """Queue a job; False if the queue is full (jobs without bytes always fit)."""
        with self._wake:
            if self._stopping or (job.bytes and self._bytes + job.bytes > self._max_bytes):
                return False
            if not self._working:
                self._working = True
                self._number = program_time.hold()
            self._queue.append(job)
            self._bytes += job.bytes
            self._wake.notify()
        return True

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything queued so far is done; False if that took longer."""
        done = threading.Event()
        with program_time.lent():
            return self.put(Job("drain", lambda: None, done=done.set, alone=True)) and done.wait(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish what is queued and end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            with program_time.lent():
                self._thread.join(timeout_s)

    def _take_batch(self) -> list[Job] | None:
        """All jobs that wait, up to BATCH_BYTES and BATCH_FRAGMENTS; None at the end."""
        with self._wake:
            if not self._queue and self._working:
                self._working = False
                program_time.release()
            while not self._queue and not self._stopping:
                self._wake.wait()
            batch: list[Job] = []
            size = fragments = 0
            while self._queue and (not batch or size + self._queue[0].bytes <= BATCH_BYTES):
                if self._queue[0].bytes and fragments == BATCH_FRAGMENTS:
                    break
                batch.append(self._queue.popleft())
                size += batch[-1].bytes
                if batch[-1].alone or (self._queue and self._queue[0].alone):
                    break
                fragments += batch[-1].bytes > 0
            return batch or None

    def _run(self) -> None:
        try:
            while (batch := self._take_batch()) is not None:
                program_time.turn(self._number)
                self._write(batch)
                with self._wake:
                    self._bytes -= sum(job.bytes for job in batch)
        finally:
            with self._wake:
                self._stopping = True
                if self._working:  # however it ended, nobody waits for it any more
                    self._working = False
                    program_time.release()

    def _write(self, batch: list[Job]) -> None:
        """Append and commit a batch, with retries; what the storage does not take is given up, job by job."""
        waiting = threading.Event()
        pending = batch
        for attempt in range(self._retries + 1):
            pending, error = self._attempt(pending)
            if error is None:
                return
            log.warning("storage: %s (attempt %d, %d jobs wait)", error, attempt + 1, len(pending))
            self._say(error)
            if error.errno in FULL:
                if not self._safely("make_room", self._make_room, False):
                    break
            elif program_time.monotonic_ns() < self._impatient_until_ns:
                break
            else:
                waiting.wait(RETRY_S)
        for job in pending:
            self._last_attempt(job)

    def _last_attempt(self, job: Job) -> None:
        """Alone, so that a job that fits is not lost with one that does not; small ones may use the reserve."""
        _, error = self._attempt([job])
        if error is not None and error.errno in FULL and not job.bytes:
            self._safely("make_room", self._make_room, True)
            _, error = self._attempt([job])
        if error is not None:
            self._impatient_until_ns = program_time.monotonic_ns() + PATIENCE_NS
            log.error("storage: %s is lost: %s", job.name, error)
            if job.lost is not None:
                self._safely(job.name, job.lost, error)

    def _say(self, error: OSError | None) -> None:
        self._trouble = error
        self._safely("on_trouble", self._on_trouble, error)

    @staticmethod
    def _safely(name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """This thread must never die: a defect costs its own job, not the recording."""
        try:
            return call(*arguments)
        except Exception:  # every kind: see above
            log.exception("%s failed", name)
            return None

    def _attempt(self, jobs: list[Job]) -> tuple[list[Job], OSError | None]:
        """Run and commit jobs; those that are not durable afterwards, in order, with the first error."""
        files: list[tuple[Durable, list[Job]]] = []
        done: list[Job] = []
        failed: set[int] = set()
        first: OSError | None = None
        for job in jobs:
            try:
                file = job.run()
            except OSError as error:
                failed.add(id(job))
                first = first or error
                continue
            except Exception:  # this thread must never die: a defect costs its own job, not the recording
                log.exception("job %s failed", job.name)
                if job.lost is not None:
                    self._safely(job.name, job.lost, OSError(errno.EIO, "an internal error"))
                continue
            if file is None:
                done.append(job)
                continue
            mine = next((members for known, members in files if known is file), None)
            if mine is None:
                files.append((file, [job]))
            else:
                mine.append(job)
        for file, members in files:
            try:
                file.commit()
                done += members
            except OSError as error:
                failed.update(id(job) for job in members)
                first = first or error
            except Exception:  # as above
                log.exception("a batch of %d jobs failed", len(members))
                for job in members:
                    if job.lost is not None:
                        self._safely(job.name, job.lost, OSError(errno.EIO, "an internal error"))
        if self._trouble is not None and first is None:
            self._say(None)
        finished = {id(job) for job in done}
        for job in jobs:
            if id(job) in finished and job.done is not None:
                self._safely(job.name, job.done)
        return [job for job in jobs if id(job) in failed], first

"""A GPS receiver's serial line, played into a pseudo-terminal: a generated drive, or a real receiver's log.

Runs in the simulator's process. The camera's real serial driver opens `GpsFeed.port` as it would open /dev/ttyAMA0.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

from hal import program_time
from simulator.receiver import RouteReceiver
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine
from simulator.receiver_log import log_epochs
from simulator.route import BLOCKS, Route

_NS_PER_S = 1_000_000_000


class GpsFeed(ReceiverControls):
    """One receiver on a pseudo-terminal; one epoch a second, or a log's own pace.

    Without `nmea` a drive along `route` is generated, with the present UTC of `utc_ns` (nanoseconds since 1970).
    With `nmea` the lines of that file are sent unaltered, in a loop; lines that begin with ``#`` are left out, and only
    the line's faults apply, not the receiver's.
    Raises OSError if the file cannot be read and ValueError if it holds no sentence.
    """

    def __init__(
        self,
        nmea: Path | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
        *,
        route: Route = BLOCKS,
        seed: int = 0,
    ) -> None:
        super().__init__(RouteReceiver(route, seed), ReceiverLine(seed))
        self._log = None if nmea is None else log_epochs(nmea.read_text(encoding="ascii", errors="replace"))
        if self._log is not None and not self._log:
            raise ValueError(f"{nmea}: holds no NMEA sentence (lines that begin with $)")
        self._utc_ns = utc_ns
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # The camera's end stays open here too: a reader that comes and goes does not hang up the line.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        """Path of the camera's end, e.g. /dev/pts/3."""

    @property
    def plays_log(self) -> bool:
        """It plays a real receiver's log, to which nothing can happen."""
        return self._log is not None

    def start(self) -> None:
        """Begin to send. Once."""
        self._thread = threading.Thread(target=self._run, name="gps-feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending and close the line: the camera sees its receiver vanish. May be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1

    def _run(self) -> None:
        due_s = program_time.monotonic_s()
        for lines, pause_s in self._epochs():
            data = self.line.carry(lines)
            self.said = tuple(data.decode("ascii", errors="replace").splitlines())
            self._write(data)
            due_s += pause_s
            if program_time.wait(self._stop, max(0.0, due_s - program_time.monotonic_s())):
                return

    def _epochs(self) -> Iterator[tuple[list[str], float]]:
        while self._log is not None:
            yield from self._log
        while True:
            yield self.receiver.epoch(self._utc_ns()), 1.0

    def _write(self, data: bytes) -> None:
        # As on a real line nobody waits: what the reader left no room for is lost.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

"""Two lanes for cameras: `evidence`, and `quarantine` for one that was lost or whose certificate was revoked (R11).

1. Who is in which lane is decided anew for every request: by the list of lost cameras, and by revocation lists, which
   are read again when their files change.
2. What comes by the quarantine lane is taken in whole, into a store of its own, and verified; its receipt says
   `unproven`, which deletes nothing.
3. A camera in quarantine is given nothing but its lock, and asks for nothing but to be emptied.
4. A list that cannot be read keeps the last one that could; with one that was never readable no station starts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from dock.revoked import load_authorities, revoked_because
from dock.tls import Peer
from evidence.errors import EvidenceError
from evidence.revocation import Revocations
from hal import program_time

log = logging.getLogger(__name__)
Lane = Literal["evidence", "quarantine"]
LOOK_EVERY_S: Final = 2.0
"""Seconds between looks at the files of the revocation lists."""


class RevocationLists:
    """The lists of some files, read again when a file changes. Calls from any thread."""

    def __init__(self, paths: tuple[Path, ...], *, clock: Callable[[], float] = program_time.monotonic_s) -> None:
        self._paths = paths
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._look()
        self._looked_s = clock()
        self.current = Revocations.load(paths)
        """The lists as last read. The constructor raises `BadKey` for one that cannot be read."""

    def refresh(self) -> Revocations:
        """The newest lists (rule 4)."""
        with self._lock:
            if self._paths and self._clock() - self._looked_s >= LOOK_EVERY_S:
                self._looked_s = self._clock()
                seen = self._look()
                if seen != self._seen:
                    self._read(seen)
            return self.current

    def _read(self, seen: list[tuple[int, int]]) -> None:
        try:
            self.current = Revocations.load(self._paths)
        except EvidenceError as error:
            log.error("a revocation list changed and cannot be read, the one before counts on: %s", error)
            return
        self._seen = seen
        log.info("revocation lists were read again")
        for sentence in self.current.stale(program_time.utc_now()):
            log.warning("%s", sentence)

    def _look(self) -> list[tuple[int, int]]:
        found = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                found.append((0, -1))
            else:
                found.append((status.st_mtime_ns, status.st_size))
        return found


class Lanes:
    """Decides the lane of a camera."""

    def __init__(self, authorities: Path, lists: RevocationLists, lost: Callable[[str], bool]) -> None:
        self._authorities = load_authorities(authorities)
        self._lists = lists
        self._lost = lost

    def lane_of(self, peer: Peer) -> Lane:
        """Rule 1. Fails to the quarantine lane: what is unknown gets no receipt that deletes (invariant 13)."""
        return "quarantine" if self._lost(peer.serial) or self.revoked(peer) is not None else "evidence"

    def revoked(self, peer: Peer) -> str | None:
        """Why the peer's certificate does not count any more; None if it does."""
        return revoked_because(peer.certificate, self._authorities, self._lists.refresh())

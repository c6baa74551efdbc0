"""Removing a relaying station's own copy of what the archive holds: one at a time, never a held one (R34, R35, R42).

1. The archive gave every byte back (`Relay`), has the object still, at its size, and `archive.keep_days` have passed.
2. Nobody holds the recording: neither the camera's signed `hold`, nor any part of the station that knows of holds.
   A part that fails, or none at all, counts as a hold (invariant 13).
3. Device logs stay: they are small, and the day's reconciliation reads them all.
4. The custody ledger has the removal before it happens. Receipts and tokens stay; a token goes along to the archive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from dock.names import original_name, parse_name
from dock.station.beside import TIMESTAMP_SUFFIX
from dock.station.relay_queue import Relayed, RelayQueue
from dock.station.station import Station
from dock.station.store import DirectoryStore, Store
from evidence import durable

log = logging.getLogger(__name__)
_DAY_NS: Final = 86_400 * 10**9


@runtime_checkable
class KnowsHolds(Protocol):
    """A part of the station that knows what is on hold."""

    def held(self, name: str) -> bool: ...


class OwnCopies:
    """What may go of the station's own store. `keep_days` None: nothing. Calls block."""

    def __init__(
        self, station: Station, own: DirectoryStore, archive: Store, queue: RelayQueue, keep_days: int | None
    ) -> None:
        self._station = station
        self._own = own
        self._archive = archive
        self._queue = queue
        self._keep_days = keep_days

    def clean_up(self, interrupted: Callable[[], bool]) -> bool:
        """Remove what may go, one file after another, each looked at anew; whether there is more to do at once.

        Raises OSError.
        """
        more = False
        if self._keep_days is None:
            return more
        before_ns = self._station.utc_ns() - self._keep_days * _DAY_NS
        for row in self._queue.removable(before_ns):
            if interrupted():
                return True
            if self._lost(row):
                more = True
            elif (why := self._why_kept(row)) is None:
                self._remove(row)
            else:
                log.debug("%s stays here: %s", row.stored, why)
        return more

    def held(self, stored: str) -> bool:
        """Whether anybody holds it; True if nobody can say."""
        knowing = [part for part in self._station.parts if isinstance(part, KnowsHolds)]
        try:
            return not knowing or any(part.held(stored) for part in knowing)
        except Exception:
            log.exception("whether %s is on hold is not known, so it is", stored)
            return True

    def _why_kept(self, row: Relayed) -> str | None:
        if row.hold or self.held(row.stored):
            return "on hold"
        if parse_name(original_name(row.stored)).stream == "log":
            return "the day's reconciliation reads all logs"
        if self._own.receipt(row.stored) is None:
            return "it has no receipt"
        assert row.archived_as is not None
        token = self._own.beside(row.stored, TIMESTAMP_SUFFIX)
        if token is None and self._station.config.timestamps is not None:
            return "its timestamp is still to come"
        if token is not None:
            self._archive.put_token(row.archived_as, token)
        return None

    def _lost(self, row: Relayed) -> bool:
        """Whether the archive had it and has it no more: told, and passed on again from here."""
        if row.archived_as is not None and self._archive.size(row.archived_as) == row.bytes:
            return False
        name = parse_name(original_name(row.stored))
        log.error("%s is gone from %s: it is passed on again", row.stored, self._archive.name)
        self._station.custody.enter(
            "archive_lost",
            who=f"station {self._station.desk.station}",
            serial=name.serial,
            name=name.text,
            sha256=row.sha256,
            details={"store": self._archive.name, "stored": row.archived_as or row.stored},
        )
        self._queue.again(row.stored)
        self._station.tell("archive_trouble", name.serial)
        return True

    def _remove(self, row: Relayed) -> None:
        name = parse_name(original_name(row.stored))
        self._station.custody.enter(
            "own_copy_removed",
            who=f"station {self._station.desk.station}",
            serial=name.serial,
            name=name.text,
            sha256=row.sha256,
            details={"stored": row.stored, "archive": self._archive.name, "archived_as": row.archived_as or ""},
        )
        if self.held(row.stored):  # asked once more: a hold may have come while the entry was written
            return
        path = self._own.path(row.stored)
        if path.exists():
            durable.unlink(path)
        self._queue.removed(row.stored, self._station.utc_ns())
        log.info("removed this station's copy of %s: %s holds it", row.stored, self._archive.name)
        self._station.tell("own_copy_removed", name.serial)

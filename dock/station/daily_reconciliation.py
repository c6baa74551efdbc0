"""The reconciliation of each day: its report is kept, its result enters the custody ledger, and a discrepancy alarms.

``reconciled/YYYY-MM-DD.json`` in the station's directory. `firsthand-dock reconcile` runs one at once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.admin_words import arguments_of
from dock.errors import BadArguments
from dock.station.part import AdminVerb, StationPart
from dock.station.reconciliation import Reconciliation, reconcile
from dock.station.station import Station
from dock.station.whole_shelf import WholeShelf
from evidence import durable
from evidence.audit_claims import Claim
from evidence.statements import Frozen, moment

log = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 30.0


class ReconcileNow(Frozen, frozen=True, kw_only=True):
    """Arguments of `reconcile`."""

    full: bool = False
    """Read every file's digest again, not only the day's share."""


class DailyReconciliation(StationPart):
    """Once a day at `reconcile_hour_utc`, and whenever somebody asks."""

    name = "reconciliation"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._directory: Path = station.config.directory / "reconciled"
        self._running = threading.Lock()
        self.last: Reconciliation | None = self._newest()

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"reconcile": self._asked}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._due():
                try:
                    await asyncio.to_thread(self.now, "the station, as every day")
                except (OSError, BadArguments) as error:
                    log.error("the day's reconciliation failed, it is tried again: %s", error)

    def _due(self) -> bool:
        now = self._clock()
        return now.hour >= self.station.config.reconcile_hour_utc and not self._path(now).exists()

    def now(self, who: str, *, full: bool = False) -> Reconciliation:
        """Run one. Blocks for long. Raises `BadArguments` if one runs already, OSError."""
        if not self._running.acquire(blocking=False):
            raise BadArguments("a reconciliation is under way: wait for its result")
        try:
            return self._run(who, full=full)
        finally:
            self._running.release()

    def _claimed(self, serial: str) -> Claim | None:
        known = self.station.desk.witnesses.look(serial)
        return Claim(serial, known.claimed, known.claimed_at) if known.claimed is not None else None

    def _run(self, who: str, *, full: bool) -> Reconciliation:
        station, now = self.station, self._clock()
        contacts = station.config.directory / "contacts"
        shelf = WholeShelf(station)
        cameras, wrong, digests = reconcile(
            shelf, contacts, station.trust, now=now, full=full, waits=shelf.waits_for_archive, claimed=self._claimed
        )
        report = Reconciliation(
            at=moment(station.utc_ns()),
            station=station.config.station,
            store=station.store.name,
            cameras=cameras,
            discrepancies=wrong,
            digests=digests,
        )
        data = msgspec.json.encode(report)
        durable.make_directory(self._directory)
        durable.replace(self._path(now), data)
        self.last = report
        kinds = sorted({one.kind for one in wrong})
        counted: dict[str, str] = {kind: str(sum(1 for one in wrong if one.kind == kind)) for kind in kinds}
        details = {"cameras": str(len(cameras)), "digests": str(digests), **counted}
        station.custody.enter("reconciled", who=who, sha256=hashlib.sha256(data).hexdigest(), details=details)
        for one in wrong:
            log.critical("reconciliation: %s: %s, %s: %s", one.kind, one.serial, one.about, one.text)
        station.tell("discrepancies" if wrong else "reconciled")
        return report

    def _asked(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(ReconcileNow, arguments)
        result: dict[str, Any] = msgspec.to_builtins(self.now(who, full=said.full))
        return result

    def _newest(self) -> Reconciliation | None:
        for path in sorted(self._directory.glob("*.json"), reverse=True):
            try:
                return msgspec.json.decode(path.read_bytes(), type=Reconciliation)
            except (msgspec.DecodeError, ValueError, RecursionError, OSError) as error:
                log.warning("%s cannot be read: %s", path.name, error)
        return None

    def _path(self, now: dt.datetime) -> Path:
        return self._directory / f"{now:%Y-%m-%d}.json"

    def _clock(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.station.utc_ns() / 1e9, dt.UTC)

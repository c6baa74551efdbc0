"""Later corrections of the time of recordings that no clock vouched for (invariant 10: appended, never an edit).

A station's signed greeting says that UTC was not earlier than its `now`, and, if the docking agent hands it on at once,
not later than `DELIVERY_NS` after it. An agent that holds a greeting back can only make the later bound too early; a
greeting that is older than one before it, or that comes again, corrects nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from device.spool import Spool
from evidence.corrections import correction_of, drift_ns
from evidence.handover import Contact
from evidence.statements import Utc, moment, moment_ns

log = logging.getLogger("firsthand.corrections")

DELIVERY_NS: Final = 10_000_000_000
"""Longest that a greeting is believed to be on its way from the station's clock to ours."""


@dataclass
class Corrections:
    """What one boot corrects. Each closed recording of it once."""

    spool: Spool
    boot: str
    log: Callable[..., None]
    """Queues an entry of the device log."""
    _done: set[str] = field(default_factory=set)
    _nonces: set[str] = field(default_factory=set)
    _newest: tuple[int, int] | None = None
    """CLOCK_BOOTTIME and earliest UTC of the newest greeting."""

    def contact(self, contact: Contact, signed: bytes, at_ns: int) -> None:
        """A greeting that was checked came at `at_ns` (CLOCK_BOOTTIME): log what it corrects."""
        utc = self._interval(contact, at_ns)
        if utc is None:
            log.warning("the greeting of %s is an old one: it corrects no time", contact.station)
            return
        for known in self.spool.closed_in(self.boot):
            begun = known.begun
            if known.facts.name in self._done or begun.utc.source != "none":
                continue
            self._done.add(known.facts.name)
            details: dict[str, Any] = {"station": contact.station, "system_id": contact.system_id}
            self.log(
                "time_correction",
                recording=known.number,
                word="station",
                file=known.facts,
                object_sha256=hashlib.sha256(signed).hexdigest(),
                correction=correction_of(begun, at_ns, utc),
                details={**details, "boot": self.boot, "station_time": contact.now, "nonce": contact.nonce},
            )

    def _interval(self, contact: Contact, at_ns: int) -> Utc | None:
        """UTC at `at_ns` by the station; None for a greeting that is surely not fresh."""
        if contact.nonce in self._nonces:
            return None
        self._nonces.add(contact.nonce)
        now_ns, error_ns = moment_ns(contact.now), contact.uncertainty_ms * 1_000_000
        earliest_ns, latest_ns = now_ns - error_ns, now_ns + error_ns + DELIVERY_NS
        if self._newest is not None:
            passed_ns = at_ns - self._newest[0]
            if latest_ns < self._newest[1] + passed_ns - drift_ns(passed_ns):
                return None
        self._newest = at_ns, earliest_ns
        return Utc(earliest=moment(earliest_ns), latest=moment(latest_ns), source="dock")

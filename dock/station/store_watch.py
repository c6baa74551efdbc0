"""Watches the store: clears away what interrupted transfers left, and tells people when it fails or lies (R38)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Final

from dock.errors import StoreFailed
from dock.names import original_name, parse_name
from dock.station.part import StationPart, Stored
from dock.station.station import Station

log = logging.getLogger(__name__)
_AGAIN_S: Final = 60.0
_UPKEEP_S: Final = 3600.0


class StoreWatch(StationPart):
    """`trouble` is what the store's last failure was, for the page; None while all is well."""

    name = "store"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}
        station.intake.settling.on_trouble = self.note

    @property
    def trouble(self) -> str | None:
        """One sentence, or None."""
        with self._lock:
            return next(iter(self._troubles.values()), None)

    def notices(self) -> Sequence[str]:
        return (f"Receipts wait: {self.trouble}",) if self.trouble is not None else ()

    def note(self, step: str, name: str, sentence: str) -> None:
        """A file could not be settled (any thread); a `step` is a custody entry, an empty one only told."""
        serial = parse_name(original_name(name)).serial
        with self._lock:
            news = self._troubles.get(name) != sentence
            self._troubles[name] = sentence
        if step and news:
            self.station.custody.enter(
                step, who=f"station {self.station.desk.station}", serial=serial, name=name, details={"why": sentence}
            )
        if news:
            self.station.tell("store_trouble", serial)

    def clear(self, name: str) -> None:
        """That file is settled."""
        with self._lock:
            gone = self._troubles.pop(name, None)
        if gone is not None:
            self.station.tell("store_well")

    def stored(self, file: Stored) -> None:
        self.clear(file.receipt.name)

    async def run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.station.store.upkeep)
            except (StoreFailed, OSError) as error:
                log.warning("the store cannot be tidied up now: %s", error)
                await asyncio.sleep(_AGAIN_S)
            else:
                await asyncio.sleep(_UPKEEP_S)

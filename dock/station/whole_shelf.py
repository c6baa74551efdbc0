"""All that this station answers for, wherever it lies: its own store, the archive behind it, stores of others (R38).

The day's reconciliation asks here, so that a file whose own copy was removed after it was archived is not missing, and
one that the archive or a foreign store has lost is.
"""

from __future__ import annotations

from collections.abc import Iterator

from dock.station.foreign_stores import ForeignStore, ForeignStores
from dock.station.relay import Relay
from dock.station.station import Station
from dock.station.store import Store


class WholeShelf:
    """One station's files by their stored names. Calls block. Raises OSError."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._own = station.store
        self._relay = station.part(Relay)
        self._foreign = station.part(ForeignStores)

    def names(self) -> Iterator[str]:
        """Everything that is in the station's store or has a receipt of this station."""
        yield from sorted({*self._own.names(), *self._own.receipted()})

    def size(self, name: str) -> int | None:
        """Bytes where it lies; None if it lies nowhere."""
        found = self._place(name)
        return found[0].size(found[1]) if found is not None else None

    def read(self, name: str) -> Iterator[bytes]:
        """Its bytes."""
        found = self._place(name)
        if found is None:
            raise FileNotFoundError(f"{name} is in no store")
        return found[0].read(found[1])

    def receipt(self, name: str) -> bytes | None:
        """Its receipt."""
        return self._own.receipt(name)

    def waits_for_archive(self, name: str) -> bool:
        """Whether its receipt comes once the archive has it."""
        return self._relay.digest(name) is not None

    def _place(self, name: str) -> tuple[Store | ForeignStore, str] | None:
        if self._own.size(name) is not None:
            return self._own, name
        archived = self._relay.holder(name)
        if archived is not None:
            return archived
        receipt = self._station.intake.settling.read_receipt(name)
        foreign = self._foreign.holder(receipt.store) if receipt is not None else None
        return (foreign, receipt.name) if foreign is not None and receipt is not None else None

"""All cards of the board: what agents said last, with what the station's other parts know of each camera. Blocks."""

from __future__ import annotations

from dock.config import PageSettings
from dock.config_desk import DeskSettings
from dock.station.checkout_desk import CheckoutDesk
from dock.station.checkout_table import KnowsFirmware, KnowsLost
from dock.station.page.board import Card, Surroundings, card_of, empty_card
from dock.station.people_audit import PeopleAudit
from dock.station.station import Station


class CardMaker:
    """Makes all cards at once. Calls from any thread, one at a time."""

    def __init__(self, station: Station, settings: PageSettings) -> None:
        self._station = station
        self._bays = settings.bays
        self._desk: DeskSettings | None = station.config.desk
        self._people = station.part(PeopleAudit).people
        self._issues = station.part(CheckoutDesk).issues
        self._lost = [part for part in station.parts if isinstance(part, KnowsLost)]
        self._peaks: dict[str, int] = {}

    def heard(self, serial: str) -> None:
        """A camera reported: remember the most that waited, also while nobody looks at the board."""
        bay = self._station.bays.look(serial)
        offloading = bay.report.offloading if bay is not None else None
        waiting = offloading.bytes if offloading is not None else 0
        self._peaks[serial] = max(self._peaks.get(serial, 0), waiting) if waiting else 0

    def cards(self) -> list[Card]:
        """Every camera that ever reported, and every empty bay. Raises OSError, sqlite3.Error."""
        now_ns = self._station.utc_ns()
        firmware = [part.newest_firmware for part in self._station.parts if isinstance(part, KnowsFirmware)]
        officers = {issue.serial: issue.officer for issue in self._issues.open()}
        withheld = self._issues.withheld()
        cards = []
        for bay in self._station.bays.all():
            self.heard(bay.serial)
            around = Surroundings(
                charged_percent=self._desk.charged_percent if self._desk is not None else 90,
                newest_firmware=next(iter(firmware), None),
                bay=self._bays.get(bay.address),
                holder=self._name(officers.get(bay.serial)),
                lost=any(part.lost(bay.serial) for part in self._lost),
                withheld=withheld.get(bay.serial),
                peak_bytes=self._peaks[bay.serial],
            )
            cards.append(card_of(bay, now_ns, around))
        taken = {card.bay for card in cards}
        return cards + [empty_card(name) for name in self._bays.values() if name not in taken]

    def _name(self, officer: str | None) -> str | None:
        if officer is None:
            return None
        found = self._people.find(officer)
        return found.name if found is not None else officer

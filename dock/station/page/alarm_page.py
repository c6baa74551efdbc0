"""What a supervisor must know without asking: the store's trouble, what reconciliation found, files that stay (R38).

Lost cameras and what cameras keep, because no station could take it, stand here too: nothing goes missing silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.bay_report import KeptFile
from dock.station.daily_reconciliation import DailyReconciliation
from dock.station.lost_cameras import LostCameras
from dock.station.page.visit import House, Visit, guarded
from dock.station.person import Role
from dock.station.station import Station
from dock.station.store_watch import StoreWatch

SEE: Final[tuple[Role, ...]] = ("supervisor", "administrator")


@dataclass(frozen=True)
class Kept:
    """A file that stays on its camera until somebody does something."""

    serial: str
    file: KeptFile


class Alarms:
    """Looks at the parts that know. Calls from any thread."""

    def __init__(self, station: Station) -> None:
        self._bays = station.bays
        self.store = station.part(StoreWatch)
        self.reconciliation = station.part(DailyReconciliation)
        self.lost = station.part(LostCameras)

    def kept(self) -> list[Kept]:
        """Of all cameras, by serial."""
        return [Kept(bay.serial, one) for bay in self._bays.all() for one in bay.report.kept]

    def count(self) -> int:
        """How many there are: for the bar on top."""
        last = self.reconciliation.last
        wrong = len(last.discrepancies) if last is not None else 0
        return bool(self.store.trouble) + wrong + len(self.lost.all()) + len(self.kept())


class AlarmPage:
    """GET /alarms."""

    def __init__(self, house: House, alarms: Alarms) -> None:
        self._house = house
        self._alarms = alarms

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/alarms", guarded(self._house, self._show, *SEE), methods=["GET"])]

    async def _show(self, visit: Visit) -> Response:
        alarms = self._alarms
        return visit.render(
            "alarms.html",
            trouble=alarms.store.trouble,
            last=alarms.reconciliation.last,
            lost=sorted(alarms.lost.all().items()),
            kept=alarms.kept(),
        )

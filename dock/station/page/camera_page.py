"""The technicians' view of one camera: what it is, how it was over the last days, what happened to it (R39)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dock.errors import DockError
from dock.station.admin import call
from dock.station.bays import Bay
from dock.station.health_history import HealthHistory
from dock.station.history_book import Sample
from dock.station.malfunctions import Malfunctions
from dock.station.page.live import LiveBoard
from dock.station.page.visit import EVERYBODY, House, Visit, guarded
from dock.station.person import Role
from evidence.errors import EvidenceError
from hal import program_time

_SERIAL: Final = re.compile("[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)
DAYS: Final = (1, 7, 30, 365)
_POINTS: Final = 600
_ROWS: Final = 48
_HAPPENINGS: Final = 100
INSIDE: Final[tuple[Role, ...]] = ("technician", "supervisor", "administrator")
"""Who sees a camera's history."""


class CameraPage:
    """GET /cameras, /cameras/SERIAL and /cameras/SERIAL/history."""

    def __init__(self, house: House, board: LiveBoard) -> None:
        self._house = house
        self._board = board
        self._history = house.station.part(HealthHistory).book
        self._malfunctions = house.station.part(Malfunctions).book

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/cameras", guarded(self._house, self._list, *EVERYBODY), methods=["GET"]),
            Route("/cameras/{serial}", guarded(self._house, self._one, *EVERYBODY), methods=["GET"]),
            Route("/cameras/{serial}/lost", guarded(self._house, self._lost, "supervisor"), methods=["POST"]),
            Route("/cameras/{serial}/history", guarded(self._house, self._figures, *INSIDE), methods=["GET"]),
        ]

    async def _list(self, visit: Visit) -> Response:
        await self._board.look()
        cards = sorted((card for card in self._board.cards() if card.serial), key=lambda card: card.serial)
        return visit.render("cameras.html", cards=cards)

    def _bay(self, visit: Visit) -> Bay:
        serial = visit.request.path_params["serial"]
        bay = self._house.station.bays.look(serial) if _SERIAL.fullmatch(serial) else None
        if bay is None:
            raise HTTPException(404, "no camera of that serial ever reported here")
        return bay

    def _days(self, visit: Visit) -> int:
        asked = visit.request.query_params.get("days", "7")
        return int(asked) if asked in {str(one) for one in DAYS} else 7

    async def _samples(self, serial: str, days: int, most: int) -> list[Sample]:
        since_s = int(program_time.utc_s()) - days * 86_400
        return await asyncio.to_thread(self._history.samples, serial, since_s, most=most)

    async def _one(self, visit: Visit) -> Response:
        bay, days = self._bay(visit), self._days(visit)
        await self._board.look()
        full = visit.may(*INSIDE)
        return visit.render(
            "camera.html",
            bay=bay,
            report=bay.report,
            card=self._board.card(bay.serial),
            days=days,
            choices=DAYS,
            full=full,
            samples=await self._samples(bay.serial, days, _ROWS) if full else [],
            happenings=await asyncio.to_thread(self._history.happenings, bay.serial, most=_HAPPENINGS) if full else [],
            malfunctions=await asyncio.to_thread(self._malfunctions.find, "open", serial=bay.serial),
            checks=[(one.get("result") == "warn", _check_words(one)) for one in bay.report.self_test],
        )

    async def _lost(self, visit: Visit) -> Response:
        """Report it lost or stolen: no checkout, a lock at its next contact, the quarantine lane (R11)."""
        bay, form = self._bay(visit), visit.form
        said = {"serial": bay.serial, "how": form.get("how", ""), "reason": form.get("reason", "")}
        try:
            await asyncio.to_thread(call, self._house.station, "lost", said, visit.person.id)
        except (DockError, EvidenceError) as error:
            raise HTTPException(400, str(error)) from error
        except OSError as error:
            raise HTTPException(507, "the station's disk failed; look on the alarms whether it was done") from error
        await visit.enter("page_lost", serial=bay.serial)
        return visit.back(
            "/alarms", f"{bay.serial} is reported as {said['how']}. Have its certificates revoked as well."
        )

    async def _figures(self, visit: Visit) -> Response:
        """Columns for the charts: seconds since 1970, percent, GB, GB, milliseconds, degrees Celsius."""
        bay = self._bay(visit)
        samples = await self._samples(bay.serial, self._days(visit), _POINTS)
        return JSONResponse(
            {
                "at": [one.at_s for one in samples],
                "battery": [one.battery for one in samples],
                "free": [_gigabytes(one.free) for one in samples],
                "backlog": [_gigabytes(one.backlog) for one in samples],
                "offset": [one.offset_ms for one in samples],
                "battery_c": [one.battery_c for one in samples],
                "board_c": [one.board_c for one in samples],
            }
        )


def _gigabytes(count: int | None) -> float | None:
    return None if count is None else round(count / 1e9, 3)


def _check_words(check: dict[str, Any]) -> str:
    """One check of the self-test, with what to do about it."""
    name = str(check.get("name", "?")).replace("_", " ")
    value, advice = (str(check.get(key) or "")[:200] for key in ("value", "advice"))
    return f"{name}{': ' if value else ''}{value}{'. ' if advice else ''}{advice}"

"""Who did what on the page: for administrators, newest first, by person, action, camera or file (R33)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.station.page.audit import PAGE_ROWS
from dock.station.page.forms import clean
from dock.station.page.visit import House, Visit, guarded

_NUMBER: Final = re.compile("[0-9]{1,15}", re.ASCII)


class AuditPage:
    """GET /audit and /people."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/audit", guarded(self._house, self._audit, "administrator"), methods=["GET"]),
            Route("/people", guarded(self._house, self._people, "administrator", "supervisor"), methods=["GET"]),
        ]

    async def _audit(self, visit: Visit) -> Response:
        asked = visit.request.query_params
        who, step, about = (clean(asked.get(name, ""))[:128] for name in ("who", "step", "about"))
        text = asked.get("before", "")
        before = int(text) if _NUMBER.fullmatch(text) else 2**62
        audit = self._house.audit
        found = await asyncio.to_thread(audit.find, who=who, step=step, about=about, before=before)
        return visit.render(
            "audit.html",
            rows=found[:PAGE_ROWS],
            more=found[PAGE_ROWS - 1].row if len(found) > PAGE_ROWS else 0,
            steps=await asyncio.to_thread(audit.steps),
            who=who,
            step=step,
            about=about,
        )

    async def _people(self, visit: Visit) -> Response:
        people = await asyncio.to_thread(self._house.people.all)
        return visit.render("people.html", people=people)

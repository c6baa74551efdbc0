"""The supervisor's queue on the page: look, note, close; and the form on which anybody reports a fault (R11, R29)."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.errors import AlreadyClosed, DockError, NoSuchMalfunction
from dock.station.malfunction_book import SHOWN, Malfunction, Which
from dock.station.malfunctions import OUTCOMES, Malfunctions
from dock.station.page.visit import EVERYBODY, House, Visit, guarded

_SERIAL: Final = re.compile("[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)
_NUMBER: Final = re.compile("[0-9]{1,15}", re.ASCII)
COMPONENTS: Final = (
    "camera",
    "microphone",
    "battery",
    "buttons",
    "lens",
    "mount",
    "storage",
    "gps",
    "display",
    "other",
)


class MalfunctionPage:
    """GET /malfunctions and what hangs below it; POST /faults."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._malfunctions = house.station.part(Malfunctions)

    def routes(self) -> Sequence[BaseRoute]:
        guard = self._house
        return [
            Route("/malfunctions", guarded(guard, self._list, "supervisor", "technician"), methods=["GET"]),
            Route("/malfunctions/{number}", guarded(guard, self._one, "supervisor", "technician"), methods=["GET"]),
            Route(
                "/malfunctions/{number}/note",
                guarded(guard, self._note, "supervisor", "technician"),
                methods=["POST"],
            ),
            Route("/malfunctions/{number}/close", guarded(guard, self._close, "supervisor"), methods=["POST"]),
            Route("/faults", guarded(guard, self._form, *EVERYBODY), methods=["GET"]),
            Route("/faults", guarded(guard, self._report, *EVERYBODY), methods=["POST"]),
        ]

    async def _list(self, visit: Visit) -> Response:
        asked = visit.request.query_params.get("show", "open")
        which: Which = "closed" if asked == "closed" else "all" if asked == "all" else "open"
        text = visit.request.query_params.get("before", "")
        before = int(text) if _NUMBER.fullmatch(text) else 2**62
        items = await asyncio.to_thread(self._malfunctions.book.find, which, before=before)
        return visit.render(
            "malfunctions.html", which=which, items=items[:SHOWN], more=items[SHOWN - 1].id if len(items) > SHOWN else 0
        )

    async def _one(self, visit: Visit) -> Response:
        return await self._show(visit, _number(visit))

    async def _show(self, visit: Visit, number: int, problem: str | None = None) -> Response:
        book = self._malfunctions.book
        try:
            item: Malfunction = await asyncio.to_thread(book.get, number)
        except NoSuchMalfunction as error:
            raise HTTPException(404, str(error)) from error
        return visit.render(
            "malfunction.html",
            400 if problem else 200,
            item=item,
            notes=await asyncio.to_thread(book.notes, number),
            outcomes=OUTCOMES,
            cameras=[bay.serial for bay in self._house.station.bays.all() if bay.serial != item.serial],
            problem=problem,
            form=visit.form,
        )

    async def _note(self, visit: Visit) -> Response:
        number, text = _number(visit), visit.form.get("text", "")
        try:
            await self._do(visit, "page_malfunction_note", self._malfunctions.note, number, visit.person.id, text)
        except DockError as error:
            return await self._show(visit, number, _sentence(error))
        return visit.back(f"/malfunctions/{number}", "Your note is kept.")

    async def _close(self, visit: Visit) -> Response:
        number, form = _number(visit), visit.form
        what = (form.get("outcome", ""), form.get("replacement", "") or None, form.get("text", ""))
        try:
            await self._do(visit, "page_malfunction_close", self._malfunctions.close, number, visit.person.id, *what)
        except AlreadyClosed as error:
            raise HTTPException(409, str(error)) from error
        except DockError as error:
            return await self._show(visit, number, _sentence(error))
        return visit.back("/malfunctions", f"Malfunction {number} is closed.")

    async def _do(self, visit: Visit, step: str, work: Callable[..., None], number: int, *what: Any) -> None:
        """Do it, then note on the page's own audit from where. Raises `DockError`, `HTTPException`."""
        try:
            await asyncio.to_thread(work, number, *what)
        except NoSuchMalfunction as error:
            raise HTTPException(404, str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed, nothing was changed; tell an administrator") from error
        await visit.enter(step, details={"malfunction": str(number)})

    async def _form(self, visit: Visit) -> Response:
        return self._fault(visit, visit.request.query_params.get("camera", ""))

    def _fault(self, visit: Visit, serial: str, problem: str | None = None) -> Response:
        return visit.render(
            "fault.html",
            400 if problem else 200,
            serials=[bay.serial for bay in self._house.station.bays.all()],
            components=COMPONENTS,
            serial=serial[:32],
            form=visit.form,
            problem=problem,
        )

    async def _report(self, visit: Visit) -> Response:
        serial, text = visit.form.get("serial", ""), visit.form.get("text", "")
        component = visit.form.get("component", "")
        if not _SERIAL.fullmatch(serial) or self._house.station.bays.look(serial) is None:
            return self._fault(visit, serial, "Choose the camera: its serial stands on its back.")
        if component not in COMPONENTS:
            return self._fault(visit, serial, "Choose what is wrong.")
        try:
            number = await asyncio.to_thread(self._malfunctions.report, serial, component, text, visit.person.id)
        except DockError as error:
            return self._fault(visit, serial, _sentence(error))
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed, nothing was kept; tell a supervisor") from error
        await visit.enter("page_fault", serial=serial, details={"malfunction": str(number), "component": component})
        return visit.back("/faults", f"Thank you: a supervisor has the fault of {serial} in the queue.")


def _number(visit: Visit) -> int:
    text = visit.request.path_params["number"]
    if not _NUMBER.fullmatch(text):
        raise HTTPException(404, "there is no such malfunction")
    return int(text)


def _sentence(error: DockError) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:]}."

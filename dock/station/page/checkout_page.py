"""Checkout on the page: who takes a camera, for how long, which one is best, and why others are not (R8, R9, R10, R32).

Everything is decided by `CheckoutDesk`. Whoever is logged in takes a camera in their own name; at a shared screen an
officer shows a tag or types a PIN; a supervisor who is logged in may take on what only a supervisor may, with a reason.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.admin_words import arguments_of
from dock.errors import DockError
from dock.station.checkout_desk import CheckoutDesk
from dock.station.checkout_words import CheckedOut, CheckoutRequest, Identification
from dock.station.identify import identify
from dock.station.page.live import LiveBoard
from dock.station.page.visit import EVERYBODY, House, Visit, guarded
from dock.station.person import Person
from evidence.commands import Identified
from evidence.errors import EvidenceError

_SERIAL: Final = re.compile("[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)
HOURS: Final = ("4", "6", "8", "10", "12")


class CheckoutPage:
    """GET and POST /checkout, POST /check-in, POST /withhold."""

    def __init__(self, house: House, board: LiveBoard) -> None:
        self._house = house
        self._board = board
        self._desk = house.station.part(CheckoutDesk)

    def routes(self) -> Sequence[BaseRoute]:
        house = self._house
        return [
            Route("/checkout", guarded(house, self._form, *EVERYBODY), methods=["GET"]),
            Route("/checkout", guarded(house, self._take, *EVERYBODY), methods=["POST"]),
            Route("/check-in", guarded(house, self._bring, *EVERYBODY), methods=["POST"]),
            Route("/withhold", guarded(house, self._withhold, "supervisor", "technician"), methods=["POST"]),
        ]

    async def _form(self, visit: Visit) -> Response:
        return await self._show(visit)

    async def _show(self, visit: Visit, problem: str | None = None, done: CheckedOut | None = None) -> Response:
        settings = self._house.station.config.desk
        if settings is None:
            raise HTTPException(404, "this station has no desk: add the table [desk] to its station.toml")
        try:
            rows = await asyncio.to_thread(self._desk.rows)
            mine = await asyncio.to_thread(self._mine, visit.person)
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed; tell an administrator") from error
        usual = f"{settings.shift_h:g}"
        return visit.render(
            "checkout.html",
            400 if problem else 200,
            problem=problem,
            done=done,
            rows=rows,
            mine=mine,
            hours=sorted({*HOURS, usual}, key=float),
            chosen=visit.form.get("shift_h", usual),
            form=visit.form,
            officer="officer" in visit.person.roles,
        )

    def _mine(self, person: Person) -> list[str]:
        return [one.serial for one in self._desk.issues.open() if one.officer == person.id and not one.replaced]

    async def _take(self, visit: Visit) -> Response:
        form = visit.form
        try:
            request, officer, how = await asyncio.to_thread(self._asked, visit)
            supervisor = visit.person if form.get("override") and visit.may("supervisor") else None
            if form.get("override") and supervisor is None:
                raise HTTPException(403, "only a supervisor may take on what is wrong with a camera")
            done = await asyncio.to_thread(self._desk.hand_out, request, officer, how, visit.person.id, supervisor)
        except (DockError, EvidenceError) as error:
            return await self._show(visit, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed; look on the board whether it was done") from error
        await visit.enter("page_checkout", serial=done.camera, details={"officer": done.officer, "shift": done.shift})
        visit.form = {}
        return await self._show(visit, done=done)

    def _asked(self, visit: Visit) -> tuple[CheckoutRequest, Person, Identified]:
        """What was asked for, and by whom. Raises `DockError`."""
        form = visit.form
        said: dict[str, Any] = {name: form[name] for name in ("camera", "replaces", "reason") if form.get(name)}
        if form.get("shift_h"):
            said["shift_h"] = _hours(form["shift_h"])
        tag, person, pin = (form.get(name, "") for name in ("tag", "person", "pin"))
        if not tag and not person:
            said["officer"] = {"person": visit.person.id}
            request = arguments_of(CheckoutRequest, said)
            if "officer" not in visit.person.roles:
                raise DockError(f"{visit.person.name} is no officer: ask the officer for tag or PIN")
            return request, visit.person, "password"
        if not tag and not pin:
            raise DockError("the officer types the PIN, or shows a tag")
        who = Identification(tag=tag) if tag else Identification(person=person[:64], pin=pin[:64])
        request = arguments_of(CheckoutRequest, {**said, "officer": msgspec.to_builtins(who)})
        officer, how = identify(self._house.people, who)
        return request, officer, how

    async def _bring(self, visit: Visit) -> Response:
        serial = self._camera(visit)
        mine = await asyncio.to_thread(self._mine, visit.person)
        if serial not in mine and not visit.may("supervisor"):
            raise HTTPException(403, "only the officer who has it, or a supervisor, hands it in")
        return await self._do(visit, "page_check_in", f"{serial} is handed in.", self._desk.check_in, serial)

    async def _withhold(self, visit: Visit) -> Response:
        serial, reason = self._camera(visit), visit.form.get("reason") or None
        if reason is not None and len(reason) > 500:
            return await self._show(visit, "Say why in at most 500 characters.")
        done = f"{serial} is kept back." if reason else f"{serial} may be handed out again."
        return await self._do(visit, "page_withhold", done, self._desk.withhold, serial, reason)

    def _camera(self, visit: Visit) -> str:
        serial = visit.form.get("camera", "")
        if not _SERIAL.fullmatch(serial) or self._house.station.bays.look(serial) is None:
            raise HTTPException(400, "no camera of that serial ever reported here")
        return serial

    async def _do(self, visit: Visit, step: str, done: str, work: Callable[..., None], *what: Any) -> Response:
        try:
            await asyncio.to_thread(work, *what, visit.person.id)
        except (DockError, EvidenceError) as error:
            return await self._show(visit, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed; look on the board whether it was done") from error
        await visit.enter(step, serial=what[0])
        return visit.back("/checkout", done)


def _hours(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DockError("choose how many hours the shift has") from error

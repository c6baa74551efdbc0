"""Login and logout. Wrong tries are counted by the registry (lockout) and by address (429); each is audited."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dock.errors import SignInLocked
from dock.station.page.forms import from_our_page, read_form, same
from dock.station.page.throttle import Throttle
from dock.station.page.visit import COOKIE, EVERYBODY, House, Visit, address_of, guarded
from dock.station.person import PASSWORD_MOST
from hal import program_time

log = logging.getLogger(__name__)
LOGIN_COOKIE: Final = "__Host-firsthand-login"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_NEXT: Final = re.compile(r"/(?!/)[A-Za-z0-9/._-]{0,200}", re.ASCII)
_BURST: Final = 20
_EVERY_S: Final = 3.0
WRONG: Final = "That identifier and password do not belong together."


class Login:
    """The two pages that need no session, and the way out."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._throttle = Throttle(program_time.monotonic_s, burst=_BURST, every_s=_EVERY_S)

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/login", self._show, methods=["GET"]),
            Route("/login", self._enter, methods=["POST"]),
            Route("/logout", guarded(self._house, self._leave, *EVERYBODY), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        if self._house.sessions.find(request.cookies.get(COOKIE)) is not None:
            return RedirectResponse("/", 303)
        return self._page(request.query_params.get("next", "/"))

    def _page(self, after: str, *, problem: str | None = None, status: int = 200, person: str = "") -> Response:
        """The form, with a token that must come back together with its cookie."""
        token = secrets.token_urlsafe(32)
        answer = self._house.render(
            "login.html", status, token=token, after=_safe(after), problem=problem, person=person
        )
        _set_cookie(answer, LOGIN_COOKIE, token)
        return answer

    async def _enter(self, request: Request) -> Response:
        address = address_of(request)
        form = await read_form(request)
        after = form.get("next", "/")
        if not from_our_page(request) or not same(form.get("csrf"), request.cookies.get(LOGIN_COOKIE) or "-"):
            raise HTTPException(403, "this login form is too old or not ours; load the login page again")
        wait_s = self._throttle.wait_s(address)
        if wait_s > 0:
            problem = f"Too many tries from this address. Try again in {int(wait_s) + 1} s."
            answer = self._page(after, problem=problem, status=429)
            answer.headers["Retry-After"] = str(int(wait_s) + 1)
            return answer
        person, password = form.get("person", ""), form.get("password", "")
        if not _ID.fullmatch(person) or not 1 <= len(password) <= PASSWORD_MOST:
            return self._page(after, problem=WRONG, status=403, person=person[:32])
        try:
            found = await asyncio.to_thread(self._house.people.by_password, person, password)
        except SignInLocked as error:
            await self._note("page_login_locked", person, address)
            problem = f"{str(error)[:1].upper()}{str(error)[1:]}. A supervisor or administrator can set a new password."
            return self._page(after, problem=problem, status=403, person=person)
        if found is None:
            await self._note("page_login_failed", person, address)
            return self._page(after, problem=WRONG, status=403, person=person)
        await self._note("page_login", found.id, address)
        self._house.sessions.close(request.cookies.get(COOKIE))
        answer = RedirectResponse(_safe(after), 303)
        _set_cookie(answer, COOKIE, self._house.sessions.open(found.id, address))
        answer.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer

    async def _leave(self, visit: Visit) -> Response:
        await self._note("page_logout", visit.person.id, visit.address)
        self._house.sessions.close(visit.request.cookies.get(COOKIE))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    async def _note(self, step: str, person: str, address: str) -> None:
        """A full disk is told in the log: somebody must get in to make room."""
        try:
            await asyncio.to_thread(self._house.audit.enter, step, who=person, address=address)
        except (OSError, sqlite3.Error) as error:
            log.error("%s of %s from %s cannot be audited: %s", step, person, address, error)


def _set_cookie(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="strict")


def _safe(path: str) -> str:
    """Where to go after the login: a page of ours, whatever the link said."""
    return path if _NEXT.fullmatch(path) else "/"

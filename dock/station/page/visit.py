"""Who may ask for what: each handler of the page behind a session, roles and, for changes, the session's token.

1. Without a session a GET leads to the login, and anything else is refused with 401.
2. A person who is not active any more, and one whose roles changed, is seen at the next click: roles are not cached.
3. A POST needs the session's CSRF token and must come from a page of ours; else 403, audited.
4. A role that is missing is 403, audited.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dock.config import PageSettings
from dock.station.page.audit import Audit
from dock.station.page.forms import from_our_page, read_form, same
from dock.station.page.sessions import Session, Sessions
from dock.station.people import People
from dock.station.person import Person, Role
from dock.station.station import Station

log = logging.getLogger(__name__)
COOKIE: Final = "__Host-firsthand"
EVERYBODY: Final[tuple[Role, ...]] = ("officer", "technician", "supervisor", "administrator")
PAGES: Final[tuple[tuple[str, str, tuple[Role, ...]], ...]] = (
    ("/", "Bays", EVERYBODY),
    ("/checkout", "Check out", EVERYBODY),
    ("/cameras", "Cameras", EVERYBODY),
    ("/recordings", "Recordings", ("supervisor", "administrator")),
    ("/malfunctions", "Malfunctions", ("supervisor", "technician")),
    ("/alarms", "Alarms", ("supervisor", "administrator")),
    ("/faults", "Report a fault", EVERYBODY),
    ("/people", "People", ("administrator", "supervisor")),
    ("/audit", "Audit", ("administrator",)),
)
"""The bar on top: path, title, and who sees it."""


@dataclass
class House:
    """What all pages share."""

    station: Station
    settings: PageSettings
    people: People
    sessions: Sessions
    audit: Audit
    templates: Environment
    counts: Callable[[], Mapping[str, int]] = dict
    """How much waits on a page, by its path: shown in the bar on top. From memory or a fast query."""

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.templates.get_template(template).render(**values), status)


@dataclass
class Visit:
    """One request of somebody who is logged in."""

    house: House
    request: Request
    session: Session
    person: Person
    form: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return address_of(self.request)

    def may(self, *roles: Role) -> bool:
        return bool(self.person.roles & set(roles))

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, with who is logged in and what is to be said once."""
        return self.house.render(
            template,
            status,
            visit=self,
            pages=PAGES,
            counts=self.house.counts(),
            csrf=self.session.csrf,
            here=self.request.url.path,
            message=self.session.take_message(),
            **values,
        )

    def back(self, path: str, message: str) -> Response:
        """To another page after a change, with a sentence."""
        self.session.message = message
        return RedirectResponse(path, 303)

    async def enter(self, step: str, **what: Any) -> None:
        """Audit an action of this person. Raises `HTTPException` 507 if it cannot be written: then it is not done."""
        try:
            await asyncio.to_thread(self.house.audit.enter, step, who=self.person.id, address=self.address, **what)
        except (OSError, sqlite3.Error) as error:
            log.error("%s by %s cannot be audited, it is refused: %s", step, self.person.id, error)
            raise HTTPException(507, "the station's disk failed, nothing was done; tell an administrator") from error


Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def address_of(request: Request) -> str:
    """Network address of the browser."""
    return request.client.host if request.client is not None else "unknown"


def guarded(house: House, handler: Handler, *roles: Role) -> Endpoint:
    """The handler for those who have one of the roles (rules 1 to 4)."""

    async def endpoint(request: Request) -> Response:
        session = house.sessions.find(request.cookies.get(COOKIE))
        person = await asyncio.to_thread(house.people.find, session.person) if session is not None else None
        if session is not None and (person is None or not person.active):
            house.sessions.close_all(session.person)
            person = None
        if session is None or person is None:
            return _to_login(request)
        visit = Visit(house, request, session, person)
        if request.method == "POST":
            visit.form = await read_form(request)
            if not from_our_page(request) or not same(visit.form.pop("csrf", None), session.csrf):
                await visit.enter("page_forged", details={"path": request.url.path})
                raise HTTPException(403, "this form is not from your present session; load the page again")
        if not visit.may(*roles):
            await visit.enter("page_denied", details={"path": request.url.path})
            raise HTTPException(403, f"this page is for {_words(roles)}; ask an administrator for the role")
        if not request.url.path.startswith("/live"):
            house.sessions.touch(session)
        return await handler(visit)

    return endpoint


def _to_login(request: Request) -> Response:
    if request.method != "GET":
        raise HTTPException(401, "your session has ended; log in again")
    return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)


def _words(roles: tuple[Role, ...]) -> str:
    names = [f"{role}s" for role in roles]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""The page's web application: its own routes and those of the station's parts, behind one set of headers."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from dock.station.page.headers import SecurityHeaders

log = logging.getLogger(__name__)
_TITLES = {
    400: "That could not be read",
    401: "Log in again",
    403: "Not allowed",
    404: "Not found",
    405: "Not found",
    409: "Changed meanwhile",
    413: "Too much",
    415: "That could not be read",
    503: "Busy",
    507: "Disk trouble",
}


def build_page(templates: Environment, routes: Iterable[BaseRoute]) -> Starlette:
    """The application. Errors become a page with one sentence; nothing of the inside is shown."""

    def page(status: int, sentence: str) -> HTMLResponse:
        title = _TITLES.get(status, "Something failed")
        return HTMLResponse(templates.get_template("error.html").render(title=title, sentence=sentence), status)

    async def refusal(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        sentence = error.detail if error.detail not in ("Not Found", "Method Not Allowed") else "no such page is here"
        answer = page(error.status_code, f"{sentence[:1].upper()}{sentence[1:]}.")
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    async def failure(request: Request, error: Exception) -> Response:
        log.error("%s %s of the page failed", request.method, request.url.path, exc_info=error)
        return page(500, "The station could not do that. Evidence is taken in all the same; tell an administrator.")

    return Starlette(
        routes=list(routes),
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: refusal, Exception: failure},
    )

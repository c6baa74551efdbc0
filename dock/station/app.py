"""The station's web application: greeting, uploads, receipts. Everyone here has shown a camera's TLS certificate."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dock.config import StationLimits
from dock.errors import BadFileName, StationBusy, StationFull
from dock.names import original_name, parse_name
from dock.station.desk import Desk
from dock.station.intake import Intake
from dock.station.tus import TusEndpoint
from dock.station.tus_words import VERSION, Body
from dock.tls import Peer
from evidence.statements import LogHead

log = logging.getLogger(__name__)
_CONTACT_BYTES = 4096
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
Handler = Callable[[Request], Awaitable[Response]]


class ContactWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a camera may say when it greets the station (JSON body of POST /contact, may be empty)."""

    log_head: LogHead | None = None
    """Where the camera says its log stands: a claim, kept as one."""


def build_app(desk: Desk, intake: Intake, limits: StationLimits) -> Starlette:
    """All routes of the station."""
    tus = TusEndpoint(intake, limits)

    async def system(_: Request) -> Response:
        return JSONResponse({"system_id": desk.system_id, "station": desk.station})

    async def contact(request: Request) -> Response:
        peer: Peer = request.state.peer
        data = await Body(request, limits.idle_s).read(_CONTACT_BYTES + 1)
        if len(data) > _CONTACT_BYTES:
            raise HTTPException(413, "a greeting is shorter than that")
        try:
            said = msgspec.json.decode(data or b"{}", type=ContactWords)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise HTTPException(400, f"not a greeting: {error}") from error
        if said.log_head is not None:
            desk.witnesses.claim(peer.serial, said.log_head, desk.now())
        return Response(desk.greet(peer.serial), media_type="application/pkcs7-mime")

    async def receipt(request: Request) -> Response:
        stored = request.path_params["stored"]
        try:
            name = parse_name(original_name(stored))
        except BadFileName as error:
            raise HTTPException(404, "no such file") from error
        if name.serial != request.state.peer.serial:
            raise HTTPException(403, "this receipt is another camera's")
        found = await intake.receipt(stored)
        if not found:
            raise HTTPException(404, "no receipt yet", {"Retry-After": "1"})
        return Response(found, media_type="application/pkcs7-mime")

    routes = [
        Route("/system", _known(system), methods=["GET"]),
        Route("/contact", _known(contact), methods=["POST"]),
        Route("/receipts/{stored}", _known(receipt), methods=["GET"]),
        Route("/files", _known(tus.options), methods=["OPTIONS"]),
        Route("/files", _known(tus.create), methods=["POST"]),
        Route("/files/{upload_id}", _known(tus.options), methods=["OPTIONS"]),
        Route("/files/{upload_id}", _known(tus.head), methods=["HEAD"]),
        Route("/files/{upload_id}", _known(tus.patch), methods=["PATCH"]),
    ]
    return Starlette(
        routes=routes, exception_handlers={HTTPException: _refusal, StationFull: _full, StationBusy: _busy}
    )


def _known(handler: Handler) -> Handler:
    """Only for a peer whose certificate has the TLS role and a serial (invariant 12); disk trouble is a 500 or 507."""

    async def checked(request: Request) -> Response:
        if getattr(request.state, "peer", None) is None:
            raise HTTPException(403, "the client certificate is not one of a camera (TLS role, serial)")
        try:
            return await handler(request)
        except OSError as error:
            log.error("%s %s failed: %s", request.method, request.url.path, error)
            raise HTTPException(507 if error.errno in _NO_ROOM else 500, "the station's disk failed") from error

    return checked


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {"Tus-Resumable": VERSION, "Cache-Control": "no-store", **(error.headers or {})}
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers)


async def _full(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 507, {"Tus-Resumable": VERSION})


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, StationBusy)
    return PlainTextResponse(
        f"{error}\n", 503, {"Tus-Resumable": VERSION, "Retry-After": str(int(error.retry_after_s))}
    )

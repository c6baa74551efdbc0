"""The station's web application: greeting, uploads, receipts. Everyone here has shown a camera's TLS certificate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dock.config import StationLimits
from dock.errors import BadFileName, StationBusy, StationFull
from dock.names import original_name, parse_name
from dock.station.custody import SOFTWARE
from dock.station.desk import Desk
from dock.station.intake import Intake
from dock.station.known import known
from dock.station.lane_gate import LaneGate
from dock.station.lanes import Lane
from dock.station.tus import TusEndpoint
from dock.station.tus_words import VERSION, Body
from dock.tls import Peer
from evidence.statements import LogHead

log = logging.getLogger(__name__)
CONTACT_BYTES: Final = 4096
"""Largest greeting of a camera."""


class ContactWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a camera may say when it greets the station (JSON body of POST /contact, may be empty)."""

    log_head: LogHead | None = None
    """Where the camera says its log stands: a claim, kept as one."""


def build_app(
    desk: Desk,
    intake: Intake,
    limits: StationLimits,
    more: Iterable[BaseRoute] = (),
    *,
    quarantine: Intake | None = None,
    lane_of: Callable[[Peer], Lane] = lambda _: "evidence",
) -> Starlette:
    """All routes of the station; `more` are those of its parts. `quarantine` takes what comes by that lane."""

    def intake_of(request: Request) -> Intake:
        quarantined = getattr(request.state, "lane", "evidence") == "quarantine"
        return quarantine if quarantined and quarantine is not None else intake

    tus = TusEndpoint(intake_of, limits)

    async def system(_: Request) -> Response:
        return JSONResponse({"system_id": desk.system_id, "station": desk.station, "version": SOFTWARE})

    async def contact(request: Request) -> Response:
        peer: Peer = request.state.peer
        data = await Body(request, limits.idle_s).read(CONTACT_BYTES + 1)
        if len(data) > CONTACT_BYTES:
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
        found = await intake_of(request).receipt(stored)
        if not found:
            raise HTTPException(404, "no receipt yet", {"Retry-After": "1"})
        return Response(found, media_type="application/pkcs7-mime")

    routes = [
        Route("/system", known(system), methods=["GET"]),
        Route("/contact", known(contact), methods=["POST"]),
        Route("/receipts/{stored}", known(receipt), methods=["GET"]),
        Route("/files", known(tus.options), methods=["OPTIONS"]),
        Route("/files", known(tus.create), methods=["POST"]),
        Route("/files/{upload_id}", known(tus.options), methods=["OPTIONS"]),
        Route("/files/{upload_id}", known(tus.head), methods=["HEAD"]),
        Route("/files/{upload_id}", known(tus.patch), methods=["PATCH"]),
        Route("/files/{upload_id}", known(tus.post), methods=["POST"]),
        *more,
    ]
    return Starlette(
        routes=routes,
        exception_handlers={HTTPException: _refusal, StationFull: _full, StationBusy: _busy},
        middleware=[Middleware(LaneGate, lane_of=lane_of)],
    )


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

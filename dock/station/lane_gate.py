"""What a camera in quarantine may ask for: to be emptied, and its lock (`dock.station.lanes`, rule 3). ASGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dock.station.lanes import Lane
from dock.tls import Peer

OPEN: Final = ("/system", "/contact", "/files", "/receipts/", "/report", "/documents")
"""Paths that serve a camera in quarantine."""


class LaneGate:
    """Puts the lane of the peer into the request's state, and closes the rest of the station to quarantine."""

    def __init__(self, app: ASGIApp, lane_of: Callable[[Peer], Lane]) -> None:
        self._app = app
        self._lane_of = lane_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("state", {}).get("peer") if scope["type"] == "http" else None
        if peer is None:
            await self._app(scope, receive, send)
            return
        lane = self._lane_of(peer)
        scope["state"] = {**scope["state"], "lane": lane}
        if lane == "quarantine" and not scope["path"].startswith(OPEN):
            refusal = PlainTextResponse("this camera was reported lost: bring it to a supervisor\n", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

"""The bays: the page itself, the stream that keeps it up to date, and the screen on the wall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from dock.station.page.live import LiveBoard, key_of
from dock.station.page.visit import EVERYBODY, House, Visit, guarded


class BoardPage:
    """GET / and /live for people who are logged in; /wall and /wall/live for a screen, if the settings allow it."""

    def __init__(self, house: House, board: LiveBoard) -> None:
        self._house = house
        self._board = board

    def routes(self) -> Sequence[BaseRoute]:
        routes = [
            Route("/", guarded(self._house, self._show, *EVERYBODY), methods=["GET"]),
            Route("/live", guarded(self._house, self._live, *EVERYBODY), methods=["GET"]),
        ]
        if self._house.settings.wall:
            routes += [
                Route("/wall", self._wall, methods=["GET"]),
                Route("/wall/live", self._wall_live, methods=["GET"]),
            ]
        return routes

    async def _show(self, visit: Visit) -> Response:
        return visit.render("board.html", **await self._values(wall=False))

    async def _wall(self, _: Request) -> Response:
        return self._house.render("wall.html", **await self._values(wall=True))

    async def _values(self, *, wall: bool) -> dict[str, Any]:
        await self._board.look()  # what came in the last moments too
        cards = self._board.cards()
        fragments = {
            place: [self._board.render(card, wall) for card in cards if card.place == place]
            for place in ("docked", "away")
        }
        return {
            "fragments": fragments,
            "summary": self._board.summary(),
            "version": self._board.version,
            "wall": wall,
            "keys": [key_of(card) for card in cards],
        }

    async def _live(self, visit: Visit) -> Response:
        return self._stream(visit.request, lambda: self._house.sessions.alive(visit.session), wall=False)

    async def _wall_live(self, request: Request) -> Response:
        return self._stream(request, lambda: True, wall=True)

    def _stream(self, request: Request, alive: Callable[[], bool], *, wall: bool) -> Response:
        stream = self._board.subscribe(wall=wall)
        if stream is None:
            raise HTTPException(503, "too many screens are kept up to date; load the page again", {"Retry-After": "30"})
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")

        async def send() -> AsyncIterator[str]:
            async for event in self._board.events(stream, seen[:64], alive):
                yield event

        return StreamingResponse(send(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

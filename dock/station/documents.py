"""Documents that wait for a camera: GET /documents lists them, GET /documents/ID gives one, POST …/answer tells.

A document is asked for by the camera's agent and judged by its recorder; the answer goes back to the part that gave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dock.station.known import known
from dock.station.lanes import Lane
from dock.station.lost_cameras import LostCameras
from dock.station.part import Document, StationPart
from dock.station.tus_words import Body
from dock.tls import Peer
from evidence.commands import parse_command
from evidence.errors import EvidenceError
from evidence.statements import Frozen

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
ANSWER_BYTES: Final = 4096
_MOST_GIVEN: Final = 1024
_MOST_WAIT_S: Final = 30
_LOOK_S: Final = 10.0
"""What waits may also begin to wait without a word: a proof that was put into a directory, say."""
_WAIT: Final = re.compile("wait=([0-9]{1,4})", re.ASCII)
_NOTHING_NEW: Final = frozenset({"stored", "people"})


class DocumentAnswer(Frozen, frozen=True, kw_only=True):
    """What the recorder said to a document; no error: it was taken."""

    error: str | None = None


class Documents(StationPart):
    """The counter."""

    name = "documents"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._given: dict[tuple[str, str], tuple[StationPart, Document]] = {}
        """What cameras fetched and have not answered, the oldest first."""

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/documents", known(self._list), methods=["GET"]),
            Route("/documents/{id}", known(self._give), methods=["GET"]),
            Route("/documents/{id}/answer", known(self._answer), methods=["POST"]),
        ]

    def _waiting(self, serial: str, lane: Lane) -> list[tuple[StationPart, Document]]:
        found: list[tuple[StationPart, Document]] = []
        # A camera in quarantine is given its lock and nothing else (dock.station.lanes, rule 3).
        for part in [one for one in self.station.parts if lane == "evidence" or isinstance(one, LostCameras)]:
            try:
                found += [(part, document) for document in part.documents(serial)]
            except Exception:
                log.exception("part %s has no documents for %s", part.name, serial)
        return sorted(found, key=lambda each: _number(each[1]))

    async def _find(self, request: Request) -> tuple[StationPart, Document]:
        peer: Peer = request.state.peer
        for part, document in await asyncio.to_thread(self._waiting, peer.serial, request.state.lane):
            if document.id == request.path_params["id"]:
                return part, document
        raise HTTPException(404, "no such document waits for this camera")

    async def _list(self, request: Request) -> Response:
        """At once if something waits; else as soon as something does, at most as long as the camera prefers to wait."""
        peer: Peer = request.state.peer
        loop = asyncio.get_running_loop()
        until = loop.time() + _preferred_s(request)
        poke = asyncio.Event()
        listener = partial(_poke, loop, poke, peer.serial)
        self.station.listeners.append(listener)
        try:
            while True:
                poke.clear()
                waiting = await asyncio.to_thread(self._waiting, peer.serial, request.state.lane)
                if waiting or loop.time() >= until or self.station.leaving:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(until, loop.time() + _LOOK_S)):
                        await poke.wait()
        finally:
            self.station.listeners.remove(listener)
        return JSONResponse([{"id": one.id, "kind": one.kind, "bytes": len(one.data)} for _, one in waiting])

    async def _give(self, request: Request) -> Response:
        peer: Peer = request.state.peer
        part, document = await self._find(request)
        self._given[peer.serial, document.id] = (part, document)
        while len(self._given) > _MOST_GIVEN:
            del self._given[next(iter(self._given))]
        return Response(document.data, media_type="application/octet-stream")

    async def _answer(self, request: Request) -> Response:
        peer: Peer = request.state.peer
        data = await Body(request, self.station.config.limits.idle_s).read(ANSWER_BYTES + 1)
        if len(data) > ANSWER_BYTES:
            raise HTTPException(413, f"an answer has at most {ANSWER_BYTES} bytes")
        try:
            said = msgspec.json.decode(data, type=DocumentAnswer)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise HTTPException(400, f"not an answer: {error}") from error
        # A report of the camera's status may have been faster: then it does not wait any more, and the answer counts.
        given = self._given.pop((peer.serial, request.path_params["id"]), None)
        part, document = given or await self._find(request)
        await asyncio.to_thread(part.answered, peer.serial, document, said.error)
        self.station.tell("document", peer.serial)
        return Response(status_code=204)


def _preferred_s(request: Request) -> float:
    """Seconds of ``Prefer: wait=SECONDS`` (RFC 7240), within reason; 0 without it."""
    found = _WAIT.fullmatch(request.headers.get("prefer", ""))
    return min(int(found[1]), _MOST_WAIT_S) if found else 0.0


def _poke(loop: asyncio.AbstractEventLoop, poke: asyncio.Event, serial: str, what: str, about: str | None) -> None:
    """Something was said at the station (any thread): look again if it is about this camera."""
    if about in (None, serial) and what not in _NOTHING_NEW:
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(poke.set)


def _number(document: Document) -> int:
    """Commands go in the order of their numbers, or the camera would refuse the earlier one; the others before them."""
    if document.kind != "command":
        return 0
    try:
        return parse_command(document.data)[0].sequence
    except EvidenceError:
        return 0

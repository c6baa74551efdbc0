"""PUT /aside/NAME: what a camera keeps beside its evidence, taken to ``aside/`` and never mixed with evidence.

Pictures that a failed key could not announce, and tails that recovery cut off, are no evidence (docs/design/keys.md,
rule 5; docs/design/recovery.md): no verdict, no receipt, and the camera keeps them. Here they outlive a lost card, each
with a step in the custody ledger, for whoever holds the vault's key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dock.errors import BadFileName, StationFull
from dock.names import conflict_name, parse_aside
from dock.station.known import known
from dock.station.part import StationPart
from dock.station.station import Station
from dock.station.tus_words import Body, checksum
from dock.tls import Peer
from evidence import durable
from evidence.errors import EvidenceError

log = logging.getLogger(__name__)
OBJECT_BYTES: Final = 16 * 2**20
"""Largest object: a second or a few of pictures. It is held in memory."""
AT_ONCE: Final = 2
MOST_FOR_ONE: Final = 10_000
"""Objects of one camera: hours of a failed key. More must be fetched from the card."""


class AsideObjects(StationPart):
    """The shelf beside the store."""

    name = "aside-objects"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._directory = station.config.directory / "aside"
        self._slots = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/aside/{name}", known(self._take), methods=["PUT"])]

    async def _take(self, request: Request) -> Response:
        peer: Peer = request.state.peer
        try:
            serial = parse_aside(request.path_params["name"])
        except BadFileName as error:
            raise HTTPException(400, str(error)) from error
        if serial != peer.serial:
            raise HTTPException(403, f"camera {peer.serial} may not bring an object of {serial}")
        wanted = checksum(request)
        async with self._slots:
            body = Body(request, self.station.config.limits.idle_s)
            data = await body.read(OBJECT_BYTES + 1)
            if len(data) > OBJECT_BYTES:
                raise HTTPException(413, f"an object aside has at most {OBJECT_BYTES} bytes: take it from the card")
            digest = hashlib.sha256(data)
            if body.torn or not data or (wanted is not None and wanted != digest.digest()):
                raise HTTPException(460, "the object arrived torn or altered; send it again")
            await asyncio.to_thread(self._keep, serial, request.path_params["name"], data, digest.hexdigest())
        return JSONResponse({"sha256": digest.hexdigest()}, 201)

    def _told(self, name: str, sha256: str) -> bool:
        """Whether the ledger has its step. Raises OSError."""
        try:
            return any(one.sha256 == sha256 for one in self.station.custody.find(name=name, step="aside_kept"))
        except EvidenceError:
            return False  # twice is better than never

    def _keep(self, serial: str, name: str, data: bytes, sha256: str) -> None:
        """Durable when it returns, with its step. Raises `HTTPException`, `StationFull`, OSError."""
        directory = self._directory / serial
        durable.make_directory(directory)
        space = os.statvfs(directory)
        if space.f_bavail * space.f_frsize - len(data) < self.station.config.limits.reserve_bytes:
            raise StationFull("the station keeps its last room for evidence: make some")
        if sum(1 for _ in directory.iterdir()) >= MOST_FOR_ONE:
            raise HTTPException(413, f"{MOST_FOR_ONE} objects of this camera are here: take the rest from the card")
        path = directory / name
        if path.exists() and path.read_bytes() != data:
            path = directory / conflict_name(name, sha256)
        try:
            durable.write_new(path, data)
        except FileExistsError:
            if self._told(name, sha256):
                return  # else a crash, or a full disk, came between it and its step
        details = {"bytes": str(len(data)), "kept_as": path.name}
        who = f"camera {serial}"
        self.station.custody.enter("aside_kept", who=who, serial=serial, name=name, sha256=sha256, details=details)
        self.station.tell("aside", serial)

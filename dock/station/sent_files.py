"""What cameras sent to a foreign store: kept until this station has read it back and signed a receipt (invariant 8).

1. POST /sent is a claim. It is durable when 204 is answered, and lets nothing be deleted.
2. ``sent/NAME.json`` stays until `done` (there is a receipt) or `refused` (the store does not have it, or has something
   else); then the camera is told with 409 when it asks again, and sends it once more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.errors import BadFileName
from dock.names import parse_name
from dock.station.known import known
from dock.station.part import StationPart
from dock.station.tus_words import Body
from dock.tls import Peer
from evidence import durable
from evidence.statements import Count, Frozen, Hash, Name, Serial

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
BODY_BYTES: Final = 4096
_MOST_FOR_ONE: Final = 10_000


class SentWords(Frozen, frozen=True, kw_only=True):
    """What a camera says (JSON body of POST /sent)."""

    name: Name
    bytes: Count
    sha256: Hash
    """Of the whole file, as the camera read it."""
    close_hash: Hash
    store: Name
    """Which `foreign` store of station.toml."""


class Sent(Frozen, frozen=True, kw_only=True):
    """One file that waits to be read back."""

    serial: Serial
    name: Name
    bytes: Count
    sha256: Hash
    close_hash: Hash
    store: Name
    trouble: Annotated[str, Meta(max_length=500)] = ""
    """Why the read-back refused it; empty while it waits."""

    @property
    def key(self) -> str:
        """The object's key below the store's prefix."""
        return f"{self.serial}/{self.name}"


class SentFiles(StationPart):
    """The counter and the shelf. Its methods block, from any thread."""

    name = "sent-files"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._directory: Path = station.config.directory / "sent"
        self._lock = threading.Lock()

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/sent", known(self._take), methods=["POST"])]

    def waiting(self) -> list[Sent]:
        """What is to be read back, by name. A file that cannot be read is told and left."""
        return [one for one in map(self._read, sorted(self._directory.glob("*.json"))) if one and not one.trouble]

    def done(self, name: str) -> None:
        """It has its receipt. Raises OSError."""
        with self._lock:
            path = self._path(name)
            if path.exists():
                durable.unlink(path)

    def refused(self, name: str, why: str) -> None:
        """The store does not have it, or has something else: the camera shall send it again. Raises OSError."""
        with self._lock:
            found = self._read(self._path(name))
            if found is not None:
                self._write(msgspec.structs.replace(found, trouble=why[:500] or "refused"))

    async def _take(self, request: Request) -> Response:
        peer: Peer = request.state.peer
        data = await Body(request, self.station.config.limits.idle_s).read(BODY_BYTES + 1)
        if len(data) > BODY_BYTES:
            raise HTTPException(413, "that is longer than a file's name and digests")
        try:
            said = msgspec.json.decode(data, type=SentWords)
            name = parse_name(said.name)
        except (msgspec.DecodeError, BadFileName, ValueError, RecursionError) as error:
            raise HTTPException(400, f"not a file that was sent: {error}") from error
        if name.serial != peer.serial:
            raise HTTPException(403, f"camera {peer.serial} may not speak of a file of {name.serial}")
        if said.store not in {foreign.name for foreign in self.station.config.foreign}:
            raise HTTPException(404, f"this station reads from no store {said.store}: add it as [[foreign]]")
        words = {field: getattr(said, field) for field in said.__struct_fields__}
        trouble = await asyncio.to_thread(self._note, Sent(serial=peer.serial, **words))
        if trouble:
            raise HTTPException(409, f"the read-back from {said.store} failed: {trouble}")
        return Response(status_code=204)

    def _note(self, sent: Sent) -> str:
        """Keep it; what was wrong with it, once, if the read-back refused it since. Raises `HTTPException`, OSError."""
        with self._lock:
            durable.make_directory(self._directory)
            found = self._read(self._path(sent.name))
            if found is not None and found.trouble and msgspec.structs.replace(found, trouble="") == sent:
                durable.unlink(self._path(sent.name))
                return found.trouble
            if found == sent:
                return ""
            if found is None and sum(1 for _ in self._directory.glob(f"{sent.serial}-*.json")) >= _MOST_FOR_ONE:
                raise HTTPException(503, "too many files of this camera wait to be read back", {"Retry-After": "600"})
            self._write(sent)
        self.station.custody.enter(
            "sent",
            who=f"camera {sent.serial}",
            serial=sent.serial,
            name=sent.name,
            sha256=sent.sha256,
            details={"store": sent.store, "bytes": str(sent.bytes)},
        )
        self.station.tell("sent", sent.serial)
        return ""

    def _path(self, name: str) -> Path:
        return self._directory / f"{parse_name(name).text}.json"

    def _write(self, sent: Sent) -> None:
        durable.replace(self._path(sent.name), msgspec.json.encode(sent))

    def _read(self, path: Path) -> Sent | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Sent)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, ValueError, RecursionError) as error:
            log.error("%s cannot be read, its camera will send it again: %s", path, error)
            return None

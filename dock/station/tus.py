"""tus 1.0 for evidence: core, creation and checksum (https://tus.io/protocols/resumable-upload).

A camera may touch only files of its own serial. An answer to PATCH is given after fdatasync, never before. Strict: what
the protocol does not allow is refused with the status that it names, and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dock.config import StationLimits
from dock.errors import BadFileName, StationBusy
from dock.names import parse_name
from dock.station import tus_words as words
from dock.station.intake import Finished, Intake
from dock.station.upload import Upload, UploadRecord
from dock.tls import Peer

CHECKSUM_MISMATCH: Final = 460
_STEP_BYTES: Final = 1024 * 1024
_WAIT_S: Final = 20.0
_HASH: Final = re.compile("[0-9a-f]{64}", re.ASCII)
_ID: Final = re.compile("[0-9a-f]{32}", re.ASCII)


class TusEndpoint:
    """The handlers of /files and /files/{upload_id}."""

    def __init__(self, intake_of: Callable[[Request], Intake], limits: StationLimits) -> None:
        self._intake_of = intake_of
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.chunks_at_once)

    async def options(self, _: Request) -> Response:
        """What this server can do."""
        offer = {"Tus-Extension": "creation,checksum", "Tus-Checksum-Algorithm": "sha256"}
        return words.answer(204, {"Tus-Version": words.VERSION, "Tus-Max-Size": str(self._limits.file_bytes), **offer})

    async def create(self, request: Request) -> Response:
        """POST /files. The same file again is the same upload; `Upload-Offset` says how much is here."""
        words.check_version(request)
        if "upload-defer-length" in request.headers:
            raise HTTPException(400, "evidence files are closed: Upload-Defer-Length is not supported")
        if words.content_length(request) or "transfer-encoding" in request.headers:
            raise HTTPException(400, "creation takes no body; send the bytes with PATCH")
        length = words.number(request, "upload-length")
        if length == 0:
            raise HTTPException(400, "an empty file is no evidence")
        if length > self._limits.file_bytes:
            raise HTTPException(413, f"larger than Tus-Max-Size {self._limits.file_bytes}")
        record = _record(request, length)
        found = await self._intake_of(request).create(record)
        return words.answer(201, {"Location": f"/files/{record.id}", **await self._where(request, found)})

    async def head(self, request: Request) -> Response:
        """HEAD /files/ID: how many bytes are durable here; for a finished one also where its receipt is."""
        words.check_version(request)
        upload = await self._find(request)
        return words.answer(200, {"Upload-Length": str(upload.record.length), **await self._where(request, upload)})

    async def patch(self, request: Request) -> Response:
        """PATCH /files/ID: 204 with the new offset, once the bytes are durable."""
        words.check_version(request)
        if request.headers.get("content-type") != "application/offset+octet-stream":
            raise HTTPException(415, "PATCH needs Content-Type: application/offset+octet-stream")
        offset = words.number(request, "upload-offset")
        wanted = words.checksum(request)
        upload = await self._find(request)
        if isinstance(upload, Finished):
            raise HTTPException(409, f"the upload is complete; its receipt is at {_receipt_path(upload)}")
        if upload.reader is not None:
            upload.reader.cancel()  # the camera came back while we still wait on its old, dead connection
        async with self._turn(upload):
            upload.address = request.client.host if request.client is not None else None
            room = upload.record.length - upload.offset
            if upload.offset != offset or room == 0:
                raise HTTPException(409, f"the upload stands at {upload.offset}, not at {offset}")
            if wanted is not None:
                room = min(room, self._limits.chunk_bytes)
            if words.content_length(request) > room:
                raise _too_much(room)
            body = words.Body(request, self._limits.idle_s)
            if wanted is not None:
                await self._checked(self._intake_of(request), body, upload, room, wanted)
            else:
                await self._in_steps(self._intake_of(request), body, upload, room)
            return words.answer(204, {"Upload-Offset": str(upload.offset)})

    async def post(self, request: Request) -> Response:
        """POST /files/ID: PATCH from a client, or through a proxy, that cannot say so."""
        if request.headers.get("x-http-method-override", "").upper() != "PATCH":
            raise HTTPException(405, "POST here needs X-HTTP-Method-Override: PATCH", {"Allow": "OPTIONS, HEAD, PATCH"})
        return await self.patch(request)

    async def _checked(self, intake: Intake, body: words.Body, upload: Upload, room: int, wanted: bytes) -> None:
        """All of the body or nothing of it."""
        data = await _read(body, upload, room + 1)
        if len(data) > room:
            raise _too_much(room)
        if body.torn:
            raise HTTPException(400, "the body ended early; nothing of it was kept")
        # Beside the event loop, which has every other camera's bytes to move meanwhile.
        if await asyncio.to_thread(_sha256, data) != wanted:
            raise HTTPException(CHECKSUM_MISMATCH, "the bytes do not match Upload-Checksum; send them again")
        if data:
            await intake.append(upload, data)

    async def _in_steps(self, intake: Intake, body: words.Body, upload: Upload, room: int) -> None:
        """Durable step by step: what came of a torn body stays, as tus asks for."""
        while data := await _read(body, upload, _STEP_BYTES):
            if len(data) > room:
                raise _too_much(room)
            await intake.append(upload, data)
            room -= len(data)
        if body.torn:
            raise HTTPException(400, f"the body ended early; {upload.offset} bytes are kept")

    async def _where(self, request: Request, upload: Upload | Finished) -> dict[str, str]:
        """How many bytes are here; and the receipt's address once there is one: an archive may take its time."""
        if not isinstance(upload, Finished):
            return {"Upload-Offset": str(upload.offset)}
        whole = {"Upload-Offset": str(upload.record.length)}
        try:
            ready = await self._intake_of(request).receipt(upload.stored) is not None
        except StationBusy:
            ready = False
        return {**whole, "Firsthand-Receipt": _receipt_path(upload)} if ready else whole

    async def _find(self, request: Request) -> Upload | Finished:
        upload_id = request.path_params["upload_id"]
        found = await self._intake_of(request).find(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None:
            raise HTTPException(404, "no such upload; create it again")
        peer: Peer = request.state.peer
        if found.record.serial != peer.serial:
            raise HTTPException(403, "this upload is another camera's")
        return found

    @contextlib.asynccontextmanager
    async def _turn(self, upload: Upload) -> AsyncIterator[None]:
        """One PATCH at a time for each upload, and few in all: each may hold a chunk in memory."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await upload.lock.acquire()
        except TimeoutError as error:
            raise HTTPException(423, "another request works on this upload", {"Retry-After": "5"}) from error
        try:
            try:
                async with asyncio.timeout(_WAIT_S):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise StationBusy("too many uploads at once", 5.0) from error
            try:
                yield
            finally:
                self._slots.release()
        finally:
            upload.lock.release()


async def _read(body: words.Body, upload: Upload, most: int) -> bytes:
    """Read, so that a newer request for the same upload can cut it off."""
    upload.reader = asyncio.create_task(body.read(most))
    try:
        return await upload.reader
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise HTTPException(409, "a newer request took over this upload") from None
    finally:
        upload.reader.cancel()
        upload.reader = None


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _record(request: Request, length: int) -> UploadRecord:
    peer: Peer = request.state.peer
    told = words.metadata(request)
    try:
        name = parse_name(told.get("filename", b"").decode("ascii", "replace"))
    except BadFileName as error:
        raise HTTPException(400, f"Upload-Metadata filename: {error}") from error
    if name.serial != peer.serial:
        raise HTTPException(403, f"camera {peer.serial} may not upload a file of {name.serial}")
    close_hash = told.get("close_hash", b"").decode("ascii", "replace") or None
    if close_hash is not None and not _HASH.fullmatch(close_hash):
        raise HTTPException(400, "close_hash in Upload-Metadata is not 64 hexadecimal digits")
    return UploadRecord(serial=peer.serial, name=name.text, length=length, close_hash=close_hash)


def _receipt_path(upload: Finished) -> str:
    return f"/receipts/{upload.stored}"


def _too_much(room: int) -> HTTPException:
    return HTTPException(413, f"at most {room} bytes fit here")

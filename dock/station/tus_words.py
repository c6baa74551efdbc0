"""What tus headers say, read strictly; and the body of a request, read within bounds."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

VERSION: Final = "1.0.0"
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)
_METADATA_BYTES: Final = 4096


def answer(status: int, headers: dict[str, str]) -> Response:
    """An empty answer with what tus asks for in each."""
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, "Cache-Control": "no-store", **headers})


def check_version(request: Request) -> None:
    """Raises 412 unless the request speaks tus 1.0.0."""
    if request.headers.get("tus-resumable") != VERSION:
        raise HTTPException(412, f"send Tus-Resumable: {VERSION}", {"Tus-Version": VERSION, "Tus-Resumable": VERSION})


def number(request: Request, header: str) -> int:
    """A header that must be one plain number. Raises 400."""
    values = request.headers.getlist(header)
    if len(values) != 1 or not _NUMBER.fullmatch(values[0]):
        raise HTTPException(400, f"{header.title()} must be there once, as a number")
    return int(values[0])


def content_length(request: Request) -> int:
    """Bytes that the body announces; 0 for a body in chunks. Raises 400."""
    return number(request, "content-length") if "content-length" in request.headers else 0


def metadata(request: Request) -> dict[str, bytes]:
    """Upload-Metadata: pairs of a key and base64, with commas between. Raises 400."""
    text = request.headers.get("upload-metadata", "")
    if len(text) > _METADATA_BYTES:
        raise HTTPException(400, "Upload-Metadata is too long")
    pairs: dict[str, bytes] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = pair.partition(" ")
        if key in pairs:
            raise HTTPException(400, "Upload-Metadata has a key twice")
        try:
            pairs[key] = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise HTTPException(400, "Upload-Metadata is not base64") from error
    return pairs


def checksum(request: Request) -> bytes | None:
    """The SHA-256 in Upload-Checksum; None without the header. Raises 400."""
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    if algorithm != "sha256":
        raise HTTPException(400, "Upload-Checksum: only sha256 is supported")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(400, "Upload-Checksum is not base64") from error
    if len(digest) != 32:
        raise HTTPException(400, "Upload-Checksum is not a SHA-256")
    return digest


class Body:
    """The body of a request in pieces of a chosen size; gives up after `idle_s` seconds without a byte."""

    def __init__(self, request: Request, idle_s: float) -> None:
        self._receive = request.receive
        self._idle_s = idle_s
        self._left = b""
        self._ended = False
        self.torn = False
        """True once the sender went away, or fell silent, before the end."""

    async def read(self, most: int) -> bytes:
        """Up to `most` bytes, fewer only at the end of the body or where it was torn."""
        parts, size = [self._left], len(self._left)
        while size < most and not self._ended:
            piece = await self._next()
            parts.append(piece)
            size += len(piece)
        data = b"".join(parts)
        self._left = data[most:]
        return data[:most]

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError:
            self._ended = self.torn = True
            return b""
        if message["type"] != "http.request":
            self._ended = self.torn = True
            return b""
        self._ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

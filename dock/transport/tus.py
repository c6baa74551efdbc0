"""tus 1.0 client for our station: creation, offset, PATCH with a SHA-256 of each chunk."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from dock.errors import ChecksumRefused, OffsetMoved, StationFailed, UploadGone
from dock.transport.https import Answer, Body, StationLink, refuse
from dock.transport.transport import Chunk, Outgoing, Progress

_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_UPLOAD: Final = re.compile(r"/files/[A-Za-z0-9_-]{1,128}", re.ASCII)
_RECEIPT: Final = re.compile(r"/receipts/[A-Za-z0-9._-]{1,128}", re.ASCII)


class TusTransport:
    """`dock.transport.transport.Transport` over one `StationLink`."""

    def __init__(self, link: StationLink) -> None:
        self._link = link

    def create(self, file: Outgoing) -> str:
        told = {"filename": file.name, "close_hash": file.close_hash}
        answer = self._announce("/files", file, told)
        location = answer.headers.get("Location", "")
        if not _UPLOAD.fullmatch(location):
            raise StationFailed(f"announcing {file.name}: {answer.status} without a usable Location")
        return location

    def _announce(self, address: str, file: Outgoing, told: dict[str, str]) -> Answer:
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {**self._headers(), "Upload-Length": str(file.bytes), "Upload-Metadata": metadata}
        answer = self._link.call("POST", address, {**headers, "Content-Length": "0"})
        refuse(answer, f"announcing {file.name}")
        if answer.status != 201:
            raise StationFailed(f"announcing {file.name}: {answer.status} is no answer to it")
        return answer

    def _headers(self) -> dict[str, str]:
        """What each request carries."""
        return _VERSION

    def _checksum(self, data: Chunk) -> dict[str, str]:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return {"Upload-Checksum": f"sha256 {digest}"}

    def offset(self, upload: str) -> Progress:
        answer = self._head(upload)
        receipt = answer.headers.get("Firsthand-Receipt")
        if receipt is not None and not _RECEIPT.fullmatch(receipt):
            raise StationFailed(f"{upload}: Firsthand-Receipt is not an address of a receipt")
        return Progress(offset_in(answer, upload), receipt)

    def _head(self, upload: str) -> Answer:
        if not upload.startswith("/"):
            raise UploadGone("the upload was to another kind of target")
        answer = self._link.call("HEAD", upload, self._headers())
        if answer.status in {404, 410}:
            raise UploadGone(f"{upload} is not known any more")
        refuse(answer, f"asking for {upload}")
        return answer

    def append(self, upload: str, offset: int, data: Chunk) -> int:
        return self._patch(upload, offset, len(data), data, self._checksum(data))

    def _patch(self, upload: str, offset: int, size: int, body: Body, checksum: dict[str, str]) -> int:
        headers = {
            **self._headers(),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
            "Upload-Offset": str(offset),
            **checksum,
        }
        answer = self._link.call("PATCH", upload, headers, body)
        if answer.status in {404, 410}:
            raise UploadGone(f"{upload} is not known any more")
        if answer.status == 409:
            raise OffsetMoved(f"{upload}: not at {offset}")
        if answer.status == 460:
            raise ChecksumRefused(f"{upload}: the chunk at {offset} arrived altered")
        refuse(answer, f"sending {upload}")
        new = offset_in(answer, upload)
        if answer.status != 204 or new != offset + size:
            raise StationFailed(f"{upload}: {answer.status} with offset {new} after {size} bytes at {offset}")
        return new

    def complete(self, upload: str) -> None:
        """Nothing: the station knows the length."""

    def close(self) -> None:
        self._link.close()


def offset_in(answer: Answer, upload: str) -> int:
    """Upload-Offset of an answer. Raises `StationFailed`."""
    text = answer.headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise StationFailed(f"{upload}: {answer.status} without Upload-Offset")
    return int(text)

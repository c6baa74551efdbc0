"""tus 1.0 client for servers that are not ours: what they can do is asked, what they answer is doubted.

Most tus servers take a wrong Upload-Checksum with 204 and acknowledge before anything is durable: what one of them has
is `sent`, and leaves the camera only when our station has read it back (invariant 8; docs/design/transport.md).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from dock.errors import OffsetMoved, StationFailed, StationRefused, UploadGone
from dock.names import parse_name
from dock.transport.credentials import TusPass
from dock.transport.https import Answer, StationLink, refuse
from dock.transport.transport import Chunk, Outgoing, Progress
from dock.transport.tus import TusTransport, offset_in

MOST_PIECE_BYTES: Final = 8 * 2**20
"""Larger requests make some servers hold or lose them."""
_ADDRESS: Final = re.compile(
    r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1000}(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,1000})?", re.ASCII
)
_SILENT: Final = frozenset({404, 405, 501})
_ALGORITHM: Final = "sha256"


class ForeignTus(TusTransport):
    """`dock.transport.transport.Transport` to a tus server of another make."""

    def __init__(self, link: StationLink, url: str, access: TusPass | None = None) -> None:
        super().__init__(link)
        self._url = url
        self._access = access
        self._asked = False
        self._checks = False
        self._max_bytes: int | None = None
        self._announced: tuple[str, int] | None = None
        self._reached: tuple[str, int] | None = None
        """Upload and length, as the server said them in this session."""

    def create(self, file: Outgoing) -> str:
        place = urlsplit(self._url.replace("{serial}", parse_name(file.name).serial).replace("{name}", file.name)).path
        self._ask(place)
        if self._max_bytes is not None and file.bytes > self._max_bytes:
            raise StationRefused(f"{file.name} has {file.bytes} bytes, the server takes {self._max_bytes}", 413)
        told = {"filename": file.name, "filetype": "application/octet-stream", "close_hash": file.close_hash}
        if file.sha256 is not None:
            told["sha256"] = file.sha256
        answer = self._announce(place, file, told)
        return same_origin(self._url, place, answer.headers.get("Location", ""))

    def append(self, upload: str, offset: int, data: Chunk) -> int:
        for start in range(0, len(data), MOST_PIECE_BYTES):
            offset = super().append(upload, offset, data[start : start + MOST_PIECE_BYTES])
        self._reached = (upload, offset)
        return offset

    def offset(self, upload: str) -> Progress:
        answer = self._head(upload)
        self._announced = (upload, _length(answer, upload))
        return Progress(offset_in(answer, upload))

    def complete(self, upload: str) -> None:
        """The server must say itself that it has as many bytes as it was announced.

        Some forget an upload once it is complete (SeaweedFS): then its answer to our last piece has to do.
        """
        try:
            answer = self._head(upload)
        except UploadGone:
            if self._reached is not None and self._reached == self._announced and self._reached[0] == upload:
                return
            raise
        announced, there = _length(answer, upload), offset_in(answer, upload)
        if announced != there:
            raise OffsetMoved(f"{upload}: the server has {there} bytes of {announced}")

    def _headers(self) -> dict[str, str]:
        return {**super()._headers(), **(self._access.headers if self._access is not None else {})}

    def _checksum(self, data: Chunk) -> dict[str, str]:
        return super()._checksum(data) if self._checks else {}

    def _ask(self, place: str) -> None:
        """OPTIONS, once for each session: a server that does not answer it is taken for the plainest kind."""
        if self._asked:
            return
        answer = self._link.call("OPTIONS", place, self._access.headers if self._access is not None else {})
        if answer.status not in _SILENT:
            refuse(answer, "asking what the server can do")
            extensions = _words(answer.headers.get("Tus-Extension", "creation"))
            if "1.0.0" not in _words(answer.headers.get("Tus-Version", "1.0.0")) or "creation" not in extensions:
                raise StationRefused("the server does not speak tus 1.0.0 with creation: choose another target", 501)
            algorithms = _words(answer.headers.get("Tus-Checksum-Algorithm", ""))
            self._checks = "checksum" in extensions and _ALGORITHM in algorithms
            self._max_bytes = most_bytes(answer.headers.get("Tus-Max-Size", ""))
        self._asked = True


def same_origin(url: str, place: str, location: str) -> str:
    """The path of an upload's Location, absolute or relative, if it is on the same server. Raises `StationFailed`."""
    if not location or len(location) > 2000 or not (location.isascii() and location.isprintable()) or " " in location:
        raise StationFailed("the server gave no usable Location for the upload")
    asked = urlsplit(urljoin(url, place))
    try:
        found = urlsplit(urljoin(asked.geturl(), location))
        same = (found.scheme, found.hostname, _port(found.scheme, found.port), found.username) == (
            asked.scheme,
            asked.hostname,
            _port(asked.scheme, asked.port),
            None,
        )
    except ValueError as error:
        raise StationFailed(f"the server's Location is no address: {error}") from error
    if not same:
        raise StationFailed(
            f"the server's Location {location[:200]} is on another server: its own address must be that of target.url"
        )
    address = found.path + (f"?{found.query}" if found.query else "")
    if found.fragment or not _ADDRESS.fullmatch(address):
        raise StationFailed(f"the server's Location {location[:200]} is no plain address")
    return address


def _length(answer: Answer, upload: str) -> int:
    text = answer.headers.get("Upload-Length", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise StationFailed(f"{upload}: {answer.status} without Upload-Length")
    return int(text)


def most_bytes(text: str) -> int | None:
    """Tus-Max-Size; None for none. Raises `StationFailed`."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise StationFailed("the server's Tus-Max-Size is no number")
    return int(text) or None


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text[:1000].split(","))

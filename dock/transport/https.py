"""One HTTPS connection to a server: our authorities only, time-outs on everything, bounded answers.

On http.client: mutual-TLS upload at the speed of curl for 20 MiB of memory (measured; reference/transport.md).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Final, Protocol
from urllib.parse import urlsplit

from dock.config_target import LOOPBACK
from dock.errors import (
    StationBusy,
    StationFailed,
    StationFull,
    StationRefused,
    StationUnreachable,
)
from dock.transport.bound import bound_to

_ANSWER_BYTES: Final = 256 * 1024
_DEFAULT_PATIENCE_S: Final = 5.0
_MOST_PATIENCE_S: Final = 3600.0


Body = bytes | bytearray | memoryview | Iterator[memoryview]


@dataclass(frozen=True)
class Answer:
    """A whole answer; headers are looked up without regard to case."""

    status: int
    headers: Message
    body: bytes


class StationLink:
    """Keeps one connection open and opens it anew after trouble. Calls block; one at a time.

    Without a `context` the connection is plain: only to a server on this machine.
    """

    _cut = False

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext | None,
        timeout_s: float,
        *,
        interface: str | None = None,
        who: str = "station",
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._plain = parts.scheme != "https"
        if self._plain and parts.hostname != LOOPBACK:
            raise ValueError(f"plain http is for {LOOPBACK} only, not for {parts.hostname}")
        self._host, self._port = parts.hostname, parts.port or (80 if self._plain else 443)
        self._who = who
        self._context = context
        self._timeout_s = timeout_s
        self._dial = bound_to(interface) if interface is not None else None
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._certificate: bytes | None = None

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: Body = b"") -> Answer:
        """One request, one answer. A body that comes in blocks needs a Content-Length in `headers`.

        Raises `StationUnreachable`, `StationFailed`, and what the blocks raise that is no OSError.
        """
        try:
            return self._call(method, path, headers or {}, body)
        finally:
            if self._cut:
                self._let_go()

    def _call(self, method: str, path: str, headers: dict[str, str], body: Body) -> Answer:
        with self._lock:
            try:
                connection = self._open()
                if self._cut:
                    raise ConnectionAbortedError("the connection was cut off")
                connection.request(method, path, body=body or None, headers=headers)
                sock = connection.sock
                if isinstance(sock, ssl.SSLSocket):
                    self._certificate = sock.getpeercert(binary_form=True)
                response = connection.getresponse()
                data = response.read(_ANSWER_BYTES + 1)
                if len(data) > _ANSWER_BYTES:
                    raise StationFailed(f"{method} {path}: the answer is larger than any that we ask for")
                if response.length:
                    raise http.client.IncompleteRead(data, response.length)
                if response.will_close or not response.isclosed():
                    self._drop()
                return Answer(response.status, response.headers, data)
            except ssl.SSLCertVerificationError as error:
                self._drop()
                raise StationUnreachable(
                    f"the {self._who}'s certificate is not one of ours: {error.verify_message}"
                ) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._drop()
                at = "" if self._who == "station" else f" at the {self._who}"
                raise StationUnreachable(f"{method} {path}{at}: {error or type(error).__name__}") from error
            except BaseException:
                self._drop()
                raise

    def server_certificate(self) -> bytes | None:
        """The certificate (DER) of the server that answered last, also if it has closed the connection since."""
        return self._certificate

    @property
    def is_cut(self) -> bool:
        """Nothing goes over it any more."""
        return self._cut

    def cut(self) -> None:
        """Cut off a call in another thread at once, and refuse all that come later. Never waits.

        Its descriptor is closed at once too, or by the call that it cut off: no collector has to find it.
        """
        self._cut = True
        self._shut_down()
        self._let_go()

    def close(self) -> None:
        """Drop the connection, a call in another thread included; the next call opens one, unless it was cut."""
        self._shut_down()
        with self._lock:
            self._drop()

    def _let_go(self) -> None:
        """Drop the connection unless a call is under way, which then does so itself."""
        if self._lock.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._lock.release()

    def _shut_down(self) -> None:
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                # The TCP connection under TLS: `SSLSocket.shutdown` would forget the TLS state under the other thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = (
                http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
                if self._plain
                else http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
            )
            if self._dial is not None:
                self._connection._create_connection = self._dial  # type: ignore[attr-defined]
            self._connection.connect()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Connect(Protocol):
    """Opens a connection to a station: `StationLink`, or what stands for it."""

    def __call__(
        self, url: str, context: ssl.SSLContext | None, timeout_s: float, *, interface: str | None = None
    ) -> StationLink: ...


def refuse(answer: Answer, what: str) -> None:
    """Raise the error that a status stands for; return only for 2xx. A redirect is not followed (R6)."""
    status = answer.status
    if 200 <= status < 300:
        return
    told = answer.body[:300].decode("utf-8", "replace").strip()
    message = f"{what}: {status} {told}"
    if status in {423, 429, 503}:
        raise StationBusy(message, patience_s(answer))
    if status == 507:
        raise StationFull(message)
    if 400 <= status < 500:
        raise StationRefused(message, status)
    raise StationFailed(message)


def patience_s(answer: Answer) -> float:
    """Seconds in Retry-After, within reason."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _MOST_PATIENCE_S) if text.isascii() and text.isdigit() else _DEFAULT_PATIENCE_S

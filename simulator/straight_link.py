"""The agent's connection to a station in the same process: HTTP without sockets, TLS or kernel (`StationLink`).

The agent's thread calls as ever, and lets go of virtual time while it waits; the station's application answers on the
loop. Who asks is what mutual TLS would have shown: the camera's certificate.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import unquote

from dock.errors import StationUnreachable
from dock.tls import Peer
from dock.transport.https import Answer, Body, StationLink
from hal import program_time
from simulator.virtual_network import VirtualNetwork

Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[MutableMapping[str, Any]], Awaitable[None]]],
    Awaitable[None],
]
_PIECE_BYTES: Final = 64 * 1024


@dataclass
class StraightLine:
    """What all connections of one camera to one station have in common."""

    loop: asyncio.AbstractEventLoop
    network: VirtualNetwork
    peer: Peer | None
    """The camera, as its TLS certificate names it."""
    station_der: bytes
    """The station's TLS certificate."""
    application: Application | None = None
    """None: no station is there."""

    def connect(
        self, url: str, context: ssl.SSLContext | None, timeout_s: float, *, interface: str | None = None
    ) -> StationLink:
        """`dock.transport.https.Connect`."""
        return StraightLink(self, url, context, timeout_s, interface=interface)


class _Call:
    """One request under way. Who makes it waits for `over`, and holds virtual time again from then on."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.gone = asyncio.Event()
        """Nobody waits for an answer any more."""
        self.answer: Answer | Exception | None = None

    def end(self, answer: Answer | Exception) -> None:
        """Loop only; the first end counts."""
        if self.answer is None:
            self.answer = answer
            self.gone.set()
            program_time.hold()
            self.over.set()


class StraightLink(StationLink):
    """One connection."""

    def __init__(
        self,
        line: StraightLine,
        url: str,
        context: ssl.SSLContext | None,
        timeout_s: float,
        *,
        interface: str | None = None,
    ) -> None:
        super().__init__(url, context, timeout_s, interface=interface)
        self._line = line
        self._running: _Call | None = None

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, body: Body = b"") -> Answer:
        """One request, one answer. Raises `StationUnreachable`, and what the blocks raise that is no OSError."""
        whole = bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b"".join(bytes(b) for b in body)
        with self._lock:
            if self._cut:
                raise StationUnreachable(f"{method} {path}: the connection was cut off")
            call = self._running = _Call()
            self._line.loop.call_soon_threadsafe(self._begin, call, method, path, dict(headers or {}), whole)
            program_time.release()
            call.over.wait()
            program_time.turn()
            self._running = None
        if isinstance(call.answer, Answer):
            self._certificate = self._line.station_der
            return call.answer
        error = call.answer
        raise StationUnreachable(f"{method} {path}: {error or type(error).__name__}") from error

    def _shut_down(self) -> None:
        call = self._running
        if call is not None:
            self._line.loop.call_soon_threadsafe(call.end, ConnectionAbortedError("the connection was cut off"))

    def _drop(self) -> None:
        """There is nothing to close."""

    def _begin(self, call: _Call, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        task = self._line.loop.create_task(self._carry(call, method, path, headers, body))
        task.add_done_callback(lambda done: call.end(_said(done)))

    async def _carry(self, call: _Call, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        line = self._line
        try:
            async with asyncio.timeout(self._timeout_s):
                await line.network.up(len(body))
                if line.application is None:
                    raise ConnectionRefusedError("connection refused")
                answer = await _asked(line, line.application, call, method, path, headers, body)
                await line.network.down(len(answer.body))
                return answer
        except TimeoutError as error:
            raise TimeoutError("timed out") from error


def _said(done: asyncio.Task[Answer]) -> Answer | Exception:
    if done.cancelled():
        return ConnectionResetError("the station has gone")
    error = done.exception()
    if error is None:
        return done.result()
    return error if isinstance(error, Exception) else RuntimeError(str(error))


async def _asked(
    line: StraightLine,
    application: Application,
    call: _Call,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> Answer:
    """What the station's application answers (ASGI 3)."""
    where, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(where),
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            *((key.lower().encode(), value.encode()) for key, value in headers.items()),
            *([] if any(key.lower() == "content-length" for key in headers) else [
                (b"content-length", str(len(body)).encode())
            ]),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 443),
        "state": {"peer": line.peer},
    }  # fmt: skip
    pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)] or [b""]
    status, told, data, whole = 0, Message(), bytearray(), False

    async def receive() -> MutableMapping[str, Any]:
        if not pieces:
            await call.gone.wait()
        if call.answer is not None:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, whole
        if message["type"] == "http.response.start":
            status = message["status"]
            for key, value in message.get("headers", ()):
                told[bytes(key).decode("latin-1")] = bytes(value).decode("latin-1")
        elif message["type"] == "http.response.body":
            data.extend(message.get("body", b""))
            whole = not message.get("more_body", False)

    await application(scope, receive, send)
    if not whole:
        raise ConnectionResetError("the answer broke off" if status else "the connection was closed without an answer")
    return Answer(status, told, bytes(data))

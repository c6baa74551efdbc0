"""The agent's connection to a station in the same process: HTTP without sockets, TLS or kernel (`StationLink`).

The agent's thread calls as ever, and lets go of virtual time while it waits; the station's application answers on the
loop. Who asks is what mutual TLS would have shown: the camera's certificate.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import ASGIApp

from dock.config_base import Tls
from dock.errors import StationUnreachable
from dock.tls import Peer, peer_of, valid_at
from dock.transport.https import Answer, Body, StationLink
from hal import program_time
from simulator.virtual_network import VirtualNetwork

_PIECE_BYTES: Final = 64 * 1024


@dataclass
class StraightLine:
    """What all connections of one camera to one station have in common."""

    loop: asyncio.AbstractEventLoop
    network: VirtualNetwork
    camera: Tls
    station: Tls
    application: ASGIApp | None = None
    """None: no station is there."""
    station_der: bytes = field(init=False)
    """The station's TLS certificate."""
    peer: Peer | None = field(init=False)
    """The camera, as its TLS certificate names it."""

    def __post_init__(self) -> None:
        self.peer = peer_of(_der(self.camera))
        self.station_der = _der(self.station)

    def answer_by(self, station: Tls, application: ASGIApp) -> None:
        """From now on that one answers."""
        self.station, self.station_der, self.application = station, _der(station), application

    def strange(self) -> str | None:
        """Why the camera would end the TLS handshake with this station, in words; None if it would not."""
        if not valid_at(self.station_der, program_time.utc_now()):
            return "certificate has expired"
        certificate = x509.load_der_x509_certificate(self.station_der)
        ours = x509.load_pem_x509_certificates(self.camera.ca.read_bytes())
        chain = [*x509.load_pem_x509_certificates(self.station.certificate.read_bytes())[1:], *ours]
        return None if any(_issued(certificate, one) for one in chain) else "unable to get local issuer certificate"

    def connect(
        self, url: str, context: ssl.SSLContext | None, timeout_s: float, *, interface: str | None = None
    ) -> StationLink:
        """`dock.transport.https.Connect`."""
        return StraightLink(self, url, context, timeout_s, interface=interface)


def _der(tls: Tls) -> bytes:
    return x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0].public_bytes(Encoding.DER)


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class _Call:
    """One request under way. Who makes it waits for `over`, and holds virtual time again from then on."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.gone = asyncio.Event()
        """Nobody waits for an answer any more."""
        self.answer: Answer | Exception | None = None
        self.number = 0
        """Of who waits for the answer, once it is there."""

    def end(self, answer: Answer | Exception) -> None:
        """Loop only; the first end counts."""
        if self.answer is None:
            self.answer = answer
            self.gone.set()
            self.number = program_time.hold()
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
        if self._cut:
            raise StationUnreachable(f"{method} {path}: the connection was cut off")
        call = self._running = _Call()
        self._line.loop.call_soon_threadsafe(self._begin, call, method, path, dict(headers or {}), whole)
        program_time.release()
        call.over.wait()
        program_time.turn(call.number)
        self._running = None
        if isinstance(call.answer, Answer):
            self._certificate = self._line.station_der
            return call.answer
        error = call.answer
        if isinstance(error, StationUnreachable):
            raise error
        raise StationUnreachable(f"{method} {path}: {error or type(error).__name__}") from error

    def _shut_down(self) -> None:
        call = self._running
        if call is not None:
            self._line.loop.call_soon_threadsafe(call.end, ConnectionAbortedError("the connection was cut off"))

    def close(self) -> None:
        """Let go of a call in another thread; the next one goes through. Never waits: the other may wait for us."""
        self._shut_down()

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
                strange = line.strange()
                if strange is not None:
                    raise StationUnreachable(f"the station's certificate is not one of ours: {strange}")
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
    application: ASGIApp,
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

"""The enrolment service: EST (RFC 7030) over TLS 1.3, for the table where cameras are enrolled and for renewals.

    GET  /.well-known/est/cacerts                      whom to believe
    POST /.well-known/est/{camera,tls}/simpleenroll    with serial and one-time token (HTTP Basic)
    POST /.well-known/est/{camera,tls}/simplereenroll  with the present TLS certificate

The label says for which purpose (3.2.2); without one it is `tls`. What is decided stands in `fleet.enrolment`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import signal
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fleet import est, issuing
from fleet.authority_store import Keys
from fleet.csr import load_request
from fleet.enrolment import PURPOSES, Purpose, enrol, renew
from fleet.errors import BadAuthority, RequestRefused
from fleet.issued import owner_of
from fleet.issuing import CURVES, Credential

log = logging.getLogger(__name__)
SERVER_DAYS: Final = 90
_BODY_S: Final = 20.0
_CONNECTION_S: Final = 60.0
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="enrolment", charset="UTF-8"'}


class _PeerProtocol(HttpToolsProtocol):
    """uvicorn does not tell the application who its peer is: put the certificate into the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        tls = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, "peer": tls.getpeercert(binary_form=True) if tls is not None else None}
        super().connection_made(transport)
        # An enrolment takes a second. Who sends nothing, or a byte now and then, must not keep a place for others.
        self._ending = self.loop.call_later(_CONNECTION_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.cancel()
        super().connection_lost(exc)


def build_app(keys: Keys) -> Starlette:
    """The routes."""

    async def authorities(_: Request) -> Response:
        return _certificates(keys.store.all_authorities())

    async def enrolled(request: Request) -> Response:
        serial, token = est.parse_basic(request.headers.get("authorization"))
        asked = load_request(est.decode_body(await _body(request)))
        certificate = await run_in_threadpool(enrol, keys, serial, token, _purpose(request), asked)
        log.info("enrolled %s for %s", serial, _purpose(request))
        return _certificates([certificate])

    async def renewed(request: Request) -> Response:
        peer: bytes | None = request.state.peer
        if not peer:
            raise RequestRefused("a renewal needs the camera's present TLS certificate", 401)
        shown = x509.load_der_x509_certificate(peer)
        asked = load_request(est.decode_body(await _body(request)))
        certificate = await run_in_threadpool(renew, keys, shown, _purpose(request), asked)
        log.info("renewed %s for %s", owner_of(shown), _purpose(request))
        return _certificates([certificate])

    routes = []
    for prefix in (est.PREFIX, est.PREFIX + "/{label}"):
        routes += [
            Route(f"{prefix}/cacerts", authorities, methods=["GET"]),
            Route(f"{prefix}/simpleenroll", _judged(enrolled), methods=["POST"]),
            Route(f"{prefix}/simplereenroll", _judged(renewed), methods=["POST"]),
        ]
    return Starlette(routes=routes)


def _judged(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RequestRefused as error:
            log.warning("%s refused (%d): %s", request.url.path, error.status, error)
            return PlainTextResponse(f"{error}\n", error.status, _CHALLENGE if error.status == 401 else None)
        except BadAuthority as error:
            log.error("%s failed: %s", request.url.path, error)
            return PlainTextResponse("the register cannot be written now: try again\n", 503, {"Retry-After": "60"})

    return answer


def _purpose(request: Request) -> Purpose:
    label = request.path_params.get("label", "tls")
    if label not in PURPOSES:
        raise RequestRefused(f"certificates are for {' or '.join(PURPOSES)}, not for {label[:32]!r}", 404)
    return cast("Purpose", label)


async def _body(request: Request) -> bytes:
    """Raises `RequestRefused` for what is too large, too slow or of another type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != est.REQUEST_TYPE:
        raise RequestRefused(f"an enrolment request is {est.REQUEST_TYPE}", 415)
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in _parts(request):
                data += part
                if len(data) > est.BODY_BYTES:
                    raise RequestRefused(f"an enrolment request has at most {est.BODY_BYTES} bytes", 413)
    except (TimeoutError, ClientDisconnect) as error:
        raise RequestRefused("the request did not arrive", 408) from error
    return bytes(data)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part


def _certificates(found: Sequence[x509.Certificate]) -> Response:
    headers = {"Content-Transfer-Encoding": "base64", "Cache-Control": "no-store"}
    return Response(est.encode_answer(found), 200, headers, f"{est.ANSWER_TYPE}; smime-type=certs-only")


def server_context(keys: Keys, hosts: Sequence[str], addresses: Sequence[str]) -> ssl.SSLContext:
    """TLS 1.3 with a certificate of our own, made now and entered into the register. Raises `FleetError`."""
    key = ec.generate_private_key(CURVES[keys.store.settings.curve])
    leaf = issuing.tls_server_leaf(hosts, addresses, keys.store.settings.organization)
    chain = keys.issue(leaf, key.public_key(), days=SERVER_DAYS)
    crossed = [one] if (one := keys.store.crossed("tls")) is not None else []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=issuing.pem(*keys.store.trusted_for_tls()).decode())
    with tempfile.TemporaryDirectory() as name:  # the library reads files only; mode 0700, gone at once
        path = Path(name) / "server.pem"
        path.touch(mode=0o600)
        path.write_bytes(Credential(key, ()).key_pem() + issuing.pem(chain[0], *crossed, *chain[1:]))
        context.load_cert_chain(path)
    return context


class _Server(uvicorn.Server):
    """Says when it is ready, on which port."""

    ready = ""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave)
        yield

    def _leave(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.ready, flush=True)


async def serve(keys: Keys, host: str, port: int, hosts: Sequence[str], addresses: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT. Raises `FleetError`, `EvidenceError`, OSError."""
    for purpose in PURPOSES:  # a wrong passphrase is told now, not to the first camera
        keys.issuer(purpose)
    context = server_context(keys, hosts, addresses)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        server = _Server(
            uvicorn.Config(
                build_app(keys),
                http=_PeerProtocol,
                ws="none",
                lifespan="off",
                ssl_context_factory=lambda *_: context,
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=64,
                timeout_keep_alive=10,
                timeout_graceful_shutdown=5,
            )
        )
        name = (*hosts, *addresses)[0]
        end = dt.datetime.now(dt.UTC) + dt.timedelta(days=SERVER_DAYS)
        where = f"https://{name}:{listener.getsockname()[1]}"
        server.ready = f"firsthand-fleet enrol-server ready: {where} (restart it before {end:%Y-%m-%d})"
        await server.serve(sockets=[listener])

"""One request to an application as a server would hand it over, out of fuzzed bytes: no socket, no TLS, all of the app.

The bytes are ``METHOD PATH``, then headers, a line each, an empty line, and the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from starlette.types import ASGIApp

ANSWER_S: Final = 20.0
WITHHELD: Final = (b"prefer", b"cookie")
"""Headers that the harness sets itself: a camera's wish to wait would only cost time."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE"})


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_of(data: bytes) -> Asked:
    """The request in some bytes; always one."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    path, _, query = target.partition(b"?")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() not in WITHHELD:
            headers.append((name.strip().lower(), value.strip()))
    word = method.decode("ascii", "replace").upper()
    return Asked(word if word in METHODS else "GET", _plain(path) or b"/", _plain(query), headers, body)


def _plain(part: bytes) -> bytes:
    """Part of an address as HTTP's own parser lets it through: printable ASCII, all else in percent signs."""
    return quote_from_bytes(part, safe="/%?&=+:;,@!$'()*[]~").encode()


async def ask(app: ASGIApp, asked: Asked, state: dict[str, Any], client: str = "192.0.2.1") -> Answered:
    """Have it answered, in two pieces of body. Raises what the application raises, TimeoutError."""
    half = len(asked.body) // 2
    waiting = [
        {"type": "http.request", "body": asked.body[:half], "more_body": True},
        {"type": "http.request", "body": asked.body[half:], "more_body": False},
    ]
    said: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            said.update(message)
        else:
            said["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "https",
        "path": unquote_to_bytes(asked.path).decode("utf-8", "replace"),
        "raw_path": asked.path,
        "root_path": "",
        "query_string": asked.query,
        "headers": [(b"host", b"localhost"), *asked.headers],
        "client": (client, 50_000),
        "server": ("127.0.0.1", 443),
        "state": dict(state),
    }
    async with asyncio.timeout(ANSWER_S):
        await app(scope, receive, send)
    headers: dict[str, str] = {}
    for name, value in said["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))  # the first of two cookies
    return Answered(said["status"], headers, said["body"])

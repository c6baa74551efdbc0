"""Who may talk to the panel: a browser on this computer, and only pages of the panel itself.

A page of the web must not reach it through the visitor's browser. So the host is checked (DNS rebinding), and orders
carry a header that no other site's form can send, from our own origin.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "x-firsthand-panel"
"""Every order carries it, with any value; a form of another site cannot."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: refuses other hosts and other origins, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        why = self._refusal(scope["method"], Headers(scope=scope))
        if why:
            await PlainTextResponse(why + "\n", 403)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> str:
        """Why not, in one sentence; empty if it may pass."""
        host = headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in self._hosts:
            return "Call the panel by the address that it printed: it answers to no other name."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "The panel takes nothing from pages of other sites."
        if method not in ("GET", "HEAD") and HEADER not in headers:
            return f"An order needs the header {HEADER}: send it from the panel's own page."
        return ""

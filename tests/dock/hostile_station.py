"""A small station over real TLS that answers honestly, or lies as a test wants."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import http.server
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dock_bench import SERIAL, SYSTEM

from dock.names import parse_name
from evidence import cms
from evidence.handover import Contact, Receipt
from evidence.keys import FileSigner
from evidence.statements import encode_canonical, moment

Said = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@dataclass
class Kept:
    """One upload."""

    name: str
    length: int
    close_hash: str
    data: bytearray = field(default_factory=bytearray)


class HostileStation:
    """Honest until `lie` says otherwise: it gets each request first, and what it returns is the answer."""

    def __init__(self, pki: Path) -> None:
        self.signer = FileSigner.load(pki / "station-receipt.key", pki / "station-receipt.pem")
        station = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 600

            def _any(self) -> None:
                station.serve(self)

            do_GET = do_POST = do_HEAD = do_PATCH = _any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                """The camera cut the connection: that is what these tests do."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pki / "station-tls.pem", pki / "station-tls.key")
        context.load_verify_locations(pki / "tls-ca.pem")
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        self.honest()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def honest(self) -> None:
        """Forget everything, and tell the truth from now on."""
        self.lie: Callable[[str, str, HostileStation], Said | None] = lambda *_: None
        self.body: Callable[[Any, int], bytes] = lambda handler, size: bytes(handler.rfile.read(size))
        self.uploads: dict[str, Kept] = {}
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and, for announcements, the file's name."""

    def announced(self, name: str) -> int:
        """How often that file was announced."""
        return sum(1 for method, _, about in self.asked if (method, about) == ("POST", name))

    def serve(self, handler: Any) -> None:
        size = int(handler.headers.get("Content-Length") or 0)
        body = self.body(handler, size)
        name = self._name(handler.headers.get("Upload-Metadata") or "")
        self.asked.append((handler.command, handler.path, name))
        status, headers, said = self.lie(handler.command, handler.path, self) or self._truth(handler, body)
        handler.send_response(status)
        for key, value in {"Content-Length": str(len(said)), **headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(said)

    def of(self, path: str) -> str:
        """The file's name behind an upload's or a receipt's address."""
        kept = self.uploads.get(path)
        return kept.name if kept is not None else path.rpartition("/")[2]

    def _truth(self, handler: Any, body: bytes) -> Said:
        path, method = handler.path, handler.command
        if path == "/contact":
            return 200, {}, self.greeting()
        if method == "POST" and path == "/files":
            told = handler.headers["Upload-Metadata"]
            place = f"/files/{hashlib.sha256(told.encode()).hexdigest()[:32]}"
            close_hash = _metadata(told, "close_hash")
            self.uploads.setdefault(place, Kept(self._name(told), int(handler.headers["Upload-Length"]), close_hash))
            return 201, {"Location": place}, b""
        if path in self.uploads:
            kept = self.uploads[path]
            if method == "PATCH":
                if int(handler.headers["Upload-Offset"]) != len(kept.data):
                    return 409, {}, b""
                kept.data += body
            where = {"Upload-Offset": str(len(kept.data))}
            if len(kept.data) == kept.length:
                where["Firsthand-Receipt"] = f"/receipts/{kept.name}"
            return (204 if method == "PATCH" else 200), where, b""
        if path.startswith("/receipts/"):
            return 200, {}, self.receipt(path.rpartition("/")[2])
        return 404, {}, b""

    def greeting(self, **more: Any) -> bytes:
        values: dict[str, Any] = {
            "v": 1,
            "serial": SERIAL,
            "station": "station-1",
            "system_id": SYSTEM,
            "nonce": "d" * 32,
            "now": moment(time.time_ns()),
            "uncertainty_ms": 5,
        }
        return self._sign(Contact(**{**values, **more}))

    def receipt(self, name: str, **more: Any) -> bytes:
        """A receipt for what is here under that name; `more` is where it lies."""
        kept = next(one for one in self.uploads.values() if one.name == name)
        parsed = parse_name(name)
        values: dict[str, Any] = {
            "v": 1,
            "serial": SERIAL,
            "stream": parsed.stream,
            "number": parsed.number,
            "name": name,
            "bytes": kept.length,
            "sha256": hashlib.sha256(kept.data).hexdigest(),
            "close_hash": kept.close_hash,
            "nonce": "0" * 32,
            "store": "directory:station-1",
            "object_version": "1",
            "retention_class": "standard",
            "verdict": "valid",
            "station": "station-1",
            "system_id": SYSTEM,
            "issued": moment(time.time_ns()),
        }
        return self._sign(Receipt(**{**values, **more}))

    def _sign(self, said: Contact | Receipt) -> bytes:
        return cms.sign(encode_canonical(said), self.signer, dt.datetime.now(dt.UTC))

    @staticmethod
    def _name(told: str) -> str:
        return _metadata(told, "filename")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _metadata(told: str, key: str) -> str:
    found = re.search(rf"{key} ([A-Za-z0-9+/=]+)", told)
    return base64.b64decode(found[1]).decode() if found else ""

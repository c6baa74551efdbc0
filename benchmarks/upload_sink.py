"""A TLS 1.3 server with client certificates that swallows uploads: PUT from curl, tus from the agent. No station.

    python benchmarks/upload_sink.py PKI [--hash] [--keep FILE]

It prints its port. Both ways read a body alike, into one buffer; with `--hash` both also take its SHA-256, and tus
holds it against `Upload-Checksum`. With `--keep` the bytes are written down, else they are forgotten. What the server
costs is so the same for both, and what differs is the client.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import ssl
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from dock.config_base import Tls
from dock.tls import server_context

READ_BYTES = 2**18


@dataclass
class Taken:
    """One tus upload."""

    length: int
    receipt: str
    offset: int = 0


class Swallow(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Sink

    def setup(self) -> None:
        super().setup()
        self.buffer = bytearray(READ_BYTES)

    def do_PUT(self) -> None:
        digest = self._body(0)
        self._answer(201, {"Digest": digest} if digest else {})

    def do_POST(self) -> None:
        name = next(part.split()[1] for part in self.headers["Upload-Metadata"].split(",") if "filename" in part)
        number = str(len(self.server.uploads))
        receipt = f"/receipts/{base64.b64decode(name).decode()}"
        self.server.uploads[f"/files/{number}"] = Taken(int(self.headers["Upload-Length"]), receipt)
        self._answer(201, {"Location": f"/files/{number}", "Upload-Offset": "0"})

    def do_HEAD(self) -> None:
        one = self.server.uploads[self.path]
        whole = {"Firsthand-Receipt": one.receipt} if one.offset == one.length else {}
        self._answer(200, {"Upload-Offset": str(one.offset), "Upload-Length": str(one.length), **whole})

    def do_PATCH(self) -> None:
        at, one = int(self.headers["Upload-Offset"]), self.server.uploads[self.path]
        if at != one.offset:
            self._answer(409, {})
            return
        digest = self._body(at)
        if digest and f"sha256 {digest}" != self.headers["Upload-Checksum"]:
            self._answer(460, {})
            return
        one.offset += int(self.headers["Content-Length"])
        self._answer(204, {"Upload-Offset": str(one.offset)})

    def _body(self, at: int) -> str:
        """Read it all; its SHA-256 in base64 if that is asked for."""
        left, hashed, buffer = int(self.headers["Content-Length"]), hashlib.sha256(), self.buffer
        if self.server.keep is not None:
            self.server.keep.seek(at)
        with memoryview(buffer) as view:
            while left and (size := self.rfile.readinto(view[: min(left, len(buffer))])):
                if self.server.hashing:
                    hashed.update(view[:size])
                if self.server.keep is not None:
                    self.server.keep.write(view[:size])
                left -= size
        if self.server.keep is not None:
            self.server.keep.flush()
        return base64.b64encode(hashed.digest()).decode() if self.server.hashing else ""

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            if status != 204 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: standard error is for trouble."""


class Sink(ThreadingHTTPServer):
    """What it keeps is one file's: `--keep` is for one upload at a time."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, *, hashing: bool, keep: BinaryIO | None) -> None:
        super().__init__(("127.0.0.1", 0), Swallow)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.hashing, self.keep = hashing, keep
        self.uploads: dict[str, Taken] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"\s+", " ", __doc__ or ""))
    parser.add_argument("pki", type=Path)
    parser.add_argument("--hash", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    pki: Path = options.pki
    context = server_context(
        Tls(certificate=pki / "station-tls.pem", key=pki / "station-tls.key", ca=pki / "tls-ca.pem")
    )
    keep = options.keep.open("wb") if options.keep else None
    with Sink(context, hashing=options.hash, keep=keep) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())

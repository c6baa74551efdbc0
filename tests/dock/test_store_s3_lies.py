"""A bucket that lies about what it holds, and one behind a certificate of the agency (R34, R38)."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from dock_bench import SERIAL, Client, Process, sha256
from dock_camera import Camera
from s3_bench import open_store, receipt_of, send, write_s3_station
from weed import Weed

from dock.errors import StoreFailed
from evidence.custody_ledger import Ledger, ledger_files
from evidence.trust import Trust

Run = Callable[[str, Path], Process]


class Liar(BaseHTTPRequestHandler):
    """Stands before the bucket, and gives back recordings with a bit changed, `lies` times."""

    protocol_version = "HTTP/1.1"
    store: ClassVar[int]
    lies: ClassVar[int]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        connection = http.client.HTTPConnection("127.0.0.1", self.store, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        real = connection.getresponse()
        data = bytearray(real.read())
        if self.command == "GET" and ".evidence?versionId" in self.path and type(self).lies:
            type(self).lies -= 1
            data[len(data) // 2] ^= 1
        self.send_response(real.status)
        for key, value in real.getheaders():
            if key.lower() not in ("date", "server", "connection"):
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
    setattr(Liar, f"do_{method}", Liar.answer)


@pytest.mark.requirement("R34", "R38")
@pytest.mark.parametrize("lies", [1, 2])
def test_a_store_that_gives_back_other_bytes_gets_no_receipt_that_deletes_until_it_tells_the_truth(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed, lies: int
) -> None:
    bucket = weed.bucket(f"lying-{lies}")
    liar = type("OneLiar", (Liar,), {"store": weed.ports[0], "lies": lies})
    server = ThreadingHTTPServer(("127.0.0.1", 0), liar)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        config = write_s3_station(tmp_path, pki, weed, bucket)
        config.write_text(config.read_text().replace(weed.endpoint, f"http://127.0.0.1:{server.server_port}"))
        client = Client(run("station", config).port, pki)
        file = camera.record(1, size=300_000)
        data = (camera.spool / file.name).read_bytes()
        receipt = receipt_of(client, send(client, file.name, data, close_hash=file.close_hash), pki)
        read = Ledger(ledger_files(tmp_path / "station/custody"), Trust.load(pki / "root.pem")).entries()
        assert "store_differs" in [one.statement.step for one in read if one.statement.name == file.name]
        if lies == 1:  # asked once more, it had the file all the same
            assert (receipt.verdict, receipt.sha256) == ("valid", sha256(data))
        else:  # what it says that it has is no evidence; the true file is kept beside it
            assert receipt.verdict == "not_valid"
            assert receipt.object_version == weed.client().head_object(
                Bucket=bucket, Key=f"{file.name}.conflict-{sha256(data)[:12]}"
            )["VersionId"]  # fmt: skip
        assert weed.sha256(bucket, file.name) == sha256(data)
    finally:
        server.shutdown()
        server.server_close()


def test_a_store_with_a_certificate_of_the_agencys_own_authority(tmp_path: Path, pki: Path, weed: Weed) -> None:
    bucket = weed.bucket("tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "station-tls.pem", pki / "station-tls.key")
    liar = type("Honest", (Liar,), {"store": weed.ports[0], "lies": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), liar)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    part = tmp_path / "part"
    part.write_bytes(os.urandom(9_000_000))
    digest = sha256(part.read_bytes())
    name = f"{SERIAL}-000001.evidence"
    try:
        endpoint = f"https://127.0.0.1:{server.server_port}"
        store = open_store(tmp_path, weed, bucket, endpoint=endpoint, ca=pki / "tls-ca.pem")
        store.adopt(part, name, sha256=digest, until=None)
        assert sha256(b"".join(store.read(name))) == digest == weed.sha256(bucket, name)
        stranger = open_store(tmp_path, weed, bucket, endpoint=endpoint)
        with pytest.raises(StoreFailed, match="cannot be read"):
            stranger.size(name)
        with pytest.raises(StoreFailed, match="cannot be reached"):
            stranger.put_receipt(name, b"receipt")
    finally:
        server.shutdown()
        server.server_close()

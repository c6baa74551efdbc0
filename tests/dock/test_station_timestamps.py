"""Timestamps at the station: beside the receipt, never before it, and later if the authority is down (R5)."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dock_bench import Client, Process, poll_until, write_station
from dock_camera import Camera

from dock.errors import TimestampUnavailable
from dock.station.contacts import ContactBook
from dock.station.store import DirectoryStore
from dock.station.timestamps import Timestamping, over_http
from evidence.__main__ import main
from evidence.timestamp import BadTimestamp, TimestampTrust

Run = Callable[[str, Path], Process]


class Authority:
    """openssl as a timestamp authority; its certificate is its own root."""

    def __init__(self, directory: Path, openssl: str) -> None:
        directory.mkdir()
        self.directory, self.openssl, self.down = directory, openssl, False
        self.asked = 0
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=Test TSA", "-days", "3650"]
        command += ["-addext", "extendedKeyUsage=critical,timeStamping"]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
        (directory / "tsa.cnf").write_text(
            "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n"
            "signer_digest = sha256\ness_cert_id_alg = sha256\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
        )

    @property
    def root(self) -> Path:
        return self.directory / "tsa.pem"

    def __call__(self, request: bytes) -> bytes:
        self.asked += 1
        if self.down:
            raise TimestampUnavailable("down")
        (self.directory / "request.tsq").write_bytes(request)
        command = [
            self.openssl,
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "request.tsq",
            "-out",
            "answer.tsr",
        ]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)
        return (self.directory / "answer.tsr").read_bytes()


@pytest.fixture
def authority(tmp_path: Path, tool: Callable[[str], str]) -> Authority:
    return Authority(tmp_path / "tsa", tool("openssl"))


@pytest.fixture
def served(authority: Authority) -> Iterator[str]:
    """The same authority behind HTTP; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            try:
                status, answer = 200, authority(self.rfile.read(int(self.headers["Content-Length"])))
            except TimestampUnavailable:
                status, answer = 503, b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/tsr"
    server.shutdown()
    server.server_close()


def configured(tmp_path: Path, pki: Path, url: str, root: Path) -> Path:
    path = write_station(tmp_path, pki)
    path.write_text(f'{path.read_text()}\n[timestamps]\nurl = "{url}"\nroot = "{root}"\n')
    return path


def upload(station: Process, camera: Camera, pki: Path, number: int) -> str:
    file = camera.record(number, size=50_000)
    client = Client(station.port, pki)
    data = (camera.spool / file.name).read_bytes()
    status, headers, _ = client.create(file.name, len(data))
    assert status == 201
    assert client.patch(headers["location"], 0, data)[0] == 204
    poll_until(lambda: client("GET", f"/receipts/{file.name}")[0] == 200, why="the receipt")
    return file.name


def test_a_stored_file_gets_a_token_that_verify_and_openssl_accept(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, authority: Authority, served: str
) -> None:
    station = run("station", configured(tmp_path, pki, served, authority.root))
    stored = tmp_path / "station/store" / upload(station, camera, pki, 1)
    token = stored.with_name(stored.name + ".tsr")
    poll_until(token.exists, why="the token")
    command = [authority.openssl, "ts", "-verify", "-data", stored, "-in", token, "-CAfile", authority.root]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert main(["verify", str(stored), "--root", str(pki / "root.pem"), "--tsa-root", str(authority.root)]) == 0


def test_a_receipt_does_not_wait_for_an_authority_that_is_down(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, authority: Authority, served: str
) -> None:
    authority.down = True
    station = run("station", configured(tmp_path, pki, served, authority.root))
    store = tmp_path / "station/store"
    name = upload(station, camera, pki, 1)
    poll_until(lambda: authority.asked, why="a request")
    assert not (store / f"{name}.tsr").exists()
    assert station.stop() == 0
    authority.down = False
    run("station", station.config)
    poll_until((store / f"{name}.tsr").exists, why="the token after a restart")


def test_a_token_that_does_not_hold_is_not_kept(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, authority: Authority
) -> None:
    station = run("station", write_station(tmp_path, pki))
    name = upload(station, camera, pki, 1)
    store = DirectoryStore(tmp_path / "station/store", "station-1")
    assert store.without_token() == [name]
    stranger = Authority(tmp_path / "stranger", authority.openssl)
    with pytest.raises(BadTimestamp):
        Timestamping(store, stranger, trust=TimestampTrust.load(authority.root)).round()
    with pytest.raises(BadTimestamp):
        Timestamping(store, lambda _: b"").round()
    assert store.without_token() == [name]
    assert Timestamping(store, authority, trust=TimestampTrust.load(authority.root)).round() == 1
    assert (store.without_token(), store.without_receipt(), store.conflicts(name)) == ([], [], [])


def test_an_authority_that_nobody_serves_is_unavailable() -> None:
    with pytest.raises(TimestampUnavailable):
        over_http("http://127.0.0.1:9/", 1.0)(b"")


def test_greetings_are_kept_and_bounded(tmp_path: Path, pki: Path, run: Run, camera: Camera) -> None:
    station = run("station", write_station(tmp_path, pki))
    status, _, greeting = Client(station.port, pki)("POST", "/contact")
    assert status == 200
    (kept,) = (tmp_path / "station/contacts/SIM-0001").iterdir()
    assert kept.read_bytes() == greeting
    book = ContactBook(tmp_path / "book", most=3)
    for number in range(5):
        book.keep("SIM-0001", f"{number:032x}", b"greeting")
    assert len(list((tmp_path / "book/SIM-0001").iterdir())) == 3

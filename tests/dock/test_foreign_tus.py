"""What a foreign tus server may say to us, and what of it we believe; what `[target]` takes; what `sent` means."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dock_bench import SERIAL, Client, Process, write_agent, write_station

from dock.config import Target, load_agent
from dock.errors import (
    BadConfig,
    OffsetMoved,
    StationFailed,
    StationRefused,
    StationUnreachable,
    TransportError,
    UploadGone,
)
from dock.station.sent_files import SentFiles
from dock.transport.credentials import TusPass
from dock.transport.https import StationLink
from dock.transport.target import target_link
from dock.transport.transport import Outgoing
from dock.transport.tus_foreign import MOST_PIECE_BYTES, ForeignTus

Run = Callable[[str, Path], Process]
FILE = Outgoing(f"{SERIAL}-000001.evidence", 10, "c" * 64, "d" * 64)
NAME = FILE.name
FOREIGN = '[[foreign]]\nname = "far"\ns3 = {endpoint = "http://127.0.0.1:9", bucket = "b", credentials = "none"}\n'


@dataclass
class Scripted:
    """A server that answers each method as the test wants, and keeps what it was asked."""

    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], int]] = field(default_factory=list)
    port: int = 0

    def heads(self, method: str) -> dict[str, str]:
        return next(headers for one, _, headers, _ in self.asked if one == method)


@pytest.fixture
def server() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            self.rfile.read(size)
            headers = {key.lower(): value for key, value in self.headers.items()}
            script.asked.append((self.command, self.path, headers, size))
            status, more = script.answers.get(self.command, (404, {}))
            if self.command == "PATCH" and status == 204:
                more = {"Upload-Offset": str(int(headers["upload-offset"]) + size), **more}
            self.send_response(status)
            for key, value in {"Content-Length": "0", **more}.items():
                self.send_header(key, value)
            self.end_headers()

        do_OPTIONS = do_POST = do_HEAD = do_PATCH = do_GET = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    script.port = running.server_port
    script.answers = {"POST": (201, {"Location": "/files/1"}), "PATCH": (204, {})}
    yield script
    running.shutdown()
    running.server_close()


def foreign(server: Scripted, path: str = "/files", access: TusPass | None = None) -> ForeignTus:
    url = f"http://127.0.0.1:{server.port}{path}"
    return ForeignTus(StationLink(url, None, 60.0), url, access)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("/files/1", "/files/1"),
        ("abc", "/abc"),
        ("./1?key=a%20b", "/1?key=a%20b"),
        ("http://127.0.0.1:PORT/up/1", "/up/1"),
        ("//127.0.0.1:PORT/up/1", "/up/1"),
    ],
)
def test_an_upload_may_be_anywhere_on_the_same_server(server: Scripted, location: str, address: str) -> None:
    server.answers["POST"] = (201, {"Location": location.replace("PORT", str(server.port))})
    assert foreign(server).create(FILE) == address


@pytest.mark.requirement("R6")
@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://127.0.0.1:PORT/files/1",
        "http://127.0.0.1:1/files/1",
        "http://elsewhere.example/files/1",
        "//elsewhere.example/files/1",
        "http://user@127.0.0.1:PORT/files/1",
        "http://127.0.0.1:PORT/files/1#part",
        "http://[broken/1",
        "http://127.0.0.1:notaport/1",
        "/files/" + "x" * 3000,
        "/files/a b",
    ],
)
def test_an_upload_elsewhere_or_at_no_address_is_a_failure(server: Scripted, location: str) -> None:
    server.answers["POST"] = (201, {"Location": location.replace("PORT", str(server.port))})
    with pytest.raises(StationFailed):
        foreign(server).create(FILE)


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "HEAD", "PATCH"])
def test_no_redirect_is_followed(server: Scripted, method: str) -> None:
    server.answers["HEAD"] = (200, {"Upload-Offset": "0", "Upload-Length": "10"})
    server.answers[method] = (307, {"Location": f"http://127.0.0.1:{server.port}/elsewhere"})
    to = foreign(server)
    with pytest.raises(TransportError):
        to.append(to.create(FILE), to.offset("/files/1").offset, b"0123456789")
    assert not [path for _, path, _, _ in server.asked if path == "/elsewhere"]


def test_what_the_server_announces_is_kept_to(server: Scripted) -> None:
    offer = {"Tus-Version": "1.0.0", "Tus-Extension": "creation,checksum", "Tus-Checksum-Algorithm": "sha1,sha256"}
    server.answers["OPTIONS"] = (204, {**offer, "Tus-Max-Size": "10"})
    to = foreign(server, access=TusPass({"Authorization": "Bearer abc"}))
    upload = to.create(FILE)
    assert to.append(upload, 0, b"0123456789") == 10
    assert server.heads("PATCH")["upload-checksum"].startswith("sha256 ")
    assert {headers.get("authorization") for _, _, headers, _ in server.asked} == {"Bearer abc"}
    pairs = (pair.split(" ") for pair in server.heads("POST")["upload-metadata"].split(","))
    told = {key: base64.b64decode(value).decode() for key, value in pairs}
    assert told == {
        "filename": NAME,
        "filetype": "application/octet-stream",
        "close_hash": "c" * 64,
        "sha256": "d" * 64,
    }
    with pytest.raises(StationRefused, match="takes 10"):
        to.create(Outgoing(NAME, 11, "c" * 64))
    for wrong in ({"Tus-Max-Size": "many"}, {"Tus-Version": "0.2.1"}, {"Tus-Extension": "termination"}):
        server.answers["OPTIONS"] = (204, {**offer, **wrong})
        with pytest.raises(TransportError):
            foreign(server).create(FILE)


def test_a_server_that_answers_no_options_gets_no_checksums_and_pieces_of_8_mib_at_most(server: Scripted) -> None:
    to = foreign(server, "/store/{serial}/{name}")
    upload = to.create(FILE)
    assert [path for method, path, _, _ in server.asked if method == "POST"] == [f"/store/{SERIAL}/{NAME}"]
    assert to.append(upload, 0, bytes(MOST_PIECE_BYTES + 5)) == MOST_PIECE_BYTES + 5
    assert [size for method, _, _, size in server.asked if method == "PATCH"] == [MOST_PIECE_BYTES, 5]
    assert "upload-checksum" not in server.heads("PATCH")


@pytest.mark.requirement("R38")
def test_complete_is_what_the_server_itself_counts(server: Scripted) -> None:
    to = foreign(server)
    upload = to.create(FILE)
    server.answers["HEAD"] = (200, {"Upload-Offset": "0", "Upload-Length": "10"})
    to.offset(upload)
    to.append(upload, 0, b"01234")
    server.answers["HEAD"] = (200, {"Upload-Offset": "9", "Upload-Length": "10"})
    with pytest.raises(OffsetMoved):
        to.complete(upload)
    server.answers["HEAD"] = (200, {"Upload-Offset": "10"})
    with pytest.raises(StationFailed):
        to.complete(upload)
    # SeaweedFS forgets what is complete: good only if we saw its answer to the last piece ourselves.
    server.answers["HEAD"] = (404, {})
    with pytest.raises(UploadGone):
        to.complete(upload)
    to.append(upload, 5, b"56789")
    to.complete(upload)
    with pytest.raises(UploadGone):
        foreign(server).complete(upload)


def test_plain_http_goes_to_this_machine_alone() -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        StationLink("http://192.0.2.1/files", None, 1.0)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('kind = "tus"\nurl = "http://192.0.2.1/files"', "plain http is for 127.0.0.1 only"),
        ('kind = "tus"\nurl = "https://far.example/files"', "needs the PEM of its authority"),
        ('kind = "tus"\nurl = "http://127.0.0.1:1"', "a path for creation"),
        ('kind = "s3"\nurl = "http://127.0.0.1:1"', "needs bucket and credentials"),
        ('kind = "s3"\nurl = "http://127.0.0.1:1/x"\nbucket = "evidence"\ncredentials = "x"', "a url without a path"),
        ('kind = "ftp"\nurl = "http://127.0.0.1:1/x"', "target.kind"),
        ('kind = "tus"\nurl = "http://127.0.0.1:1/x?y"', "target.url"),
        ('kind = "s3"\nurl = "http://127.0.0.1:1"\nbucket = "Evidence"\ncredentials = "x"', "target.bucket"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused_at_the_start(
    tmp_path: Path, pki: Path, table: str, told: str
) -> None:
    config = write_agent(tmp_path, pki, port=1, telemetry=f'[target]\nname = "far"\n{table}\n')
    with pytest.raises(BadConfig, match=told):
        load_agent(config)


def test_a_servers_certificate_must_come_from_the_pinned_authority(
    tmp_path: Path, pki: Path, other_pki: Path, run: Run
) -> None:
    """The station's own port serves as a TLS server of another agency."""
    station = run("station", write_station(tmp_path, other_pki))
    target = Target(kind="tus", url=f"https://127.0.0.1:{station.port}/files", name="far", ca=pki / "tls-ca.pem")
    with pytest.raises(StationUnreachable, match="target's certificate is not one of ours"):
        ForeignTus(target_link(target, timeout_s=60.0), target.url).create(FILE)
    with pytest.raises(BadConfig, match=r"target\.ca"):
        target_link(Target(kind="tus", url=target.url, name="far", ca=tmp_path / "none.pem"), timeout_s=60.0)


def said(**more: Any) -> bytes:
    words = {"name": NAME, "bytes": 10, "sha256": "d" * 64, "close_hash": "c" * 64, "store": "far"}
    return json.dumps({**words, **more}).encode()


@pytest.mark.requirement("R34", "R38")
def test_what_a_camera_sent_elsewhere_is_a_claim_that_waits_for_the_read_back(
    tmp_path: Path, pki: Path, run: Run
) -> None:
    config = write_station(tmp_path, pki)
    (tmp_path / "none").write_text("nobody\nsecret\n")
    (tmp_path / "none").chmod(0o600)
    config.write_text(config.read_text() + FOREIGN)
    station = run("station", config)
    client = Client(station.port, pki)

    def tell(body: bytes) -> tuple[int, str]:
        status, _, told = client("POST", "/sent", {}, body)
        return status, told.decode()

    for body, status in (
        (b"{", 400),
        (said(name="../x"), 400),
        (said(bytes=-1), 400),
        (said(extra=1), 400),
        (said(name="SIM-0002-000001.evidence"), 403),
        (said(store="nowhere"), 404),
        (b" " * 5000, 413),
    ):
        assert tell(body)[0] == status
    shelf = SentFiles(SimpleNamespace(config=SimpleNamespace(directory=tmp_path / "station")))  # type: ignore[arg-type]
    assert shelf.waiting() == []
    assert tell(said()) == tell(said()) == (204, "")
    station.kill()
    station = run("station", config)
    client = Client(station.port, pki)
    [waiting] = shelf.waiting()
    assert (waiting.serial, waiting.key, waiting.bytes) == (SERIAL, f"{SERIAL}/{NAME}", 10)
    assert client("GET", f"/receipts/{NAME}")[0] == 404
    shelf.refused(NAME, "the store has no such object")
    assert shelf.waiting() == []
    status, told = tell(said())
    assert status == 409
    assert "no such object" in told
    assert tell(said())[0] == 204  # it was sent once more
    assert len(shelf.waiting()) == 1
    shelf.done(NAME)
    shelf.done(NAME)
    assert shelf.waiting() == []
    # A crash in the middle of everything leaves a file that somebody else wrote: left alone, and told.
    (tmp_path / "station/sent" / f"{NAME}.json").write_text("{")
    assert shelf.waiting() == []

"""Fuzz targets of a whole station in this process: what cameras ask, what people send, what its own socket is told."""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import functools
import io
import json
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from asgi import Answered, Asked, ask, request_of
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from starlette.types import ASGIApp
from target import CORPUS, VECTORS, Target, as_file, scratch

from dock.config import load_station
from dock.errors import BadConfig, BadHold
from dock.names import parse_name
from dock.station.admin import Admin
from dock.station.bays import BayBook
from dock.station.daily_reconciliation import DailyReconciliation
from dock.station.hold_book import HoldBook
from dock.station.intake import Intake
from dock.station.lost_cameras import LostCameras
from dock.station.page.part import DockPage
from dock.station.people_audit import PeopleAudit
from dock.station.person import ROLES, Person
from dock.station.sent_files import SentFiles
from dock.station.server import app_of, at_work
from dock.station.station import Station
from dock.station.upload import load_upload
from dock.station.witness import WitnessBook
from dock.tls import Peer, peer_of
from fleet.ca import create_agency

_T = TypeVar("_T")
PASSWORD: Final = "correct horse battery"
_CSRF: Final = re.compile(rb'name="csrf" value="([^"]+)"')
_TUS: Final = ((b"tus-resumable", b"1.0.0"),)
_PIECE: Final = ((b"content-type", b"application/offset+octet-stream"),)
_SETTINGS: Final = """system_id = "test-pd"
station = "station-1"
listen_host = "127.0.0.1"
listen_port = 0
directory = "station"
root = "{pki}/root.pem"
tls = {{certificate = "{pki}/station-tls.pem", key = "{pki}/station-tls.key", ca = "{pki}/tls-ca.pem"}}
receipts = {{certificate = "{pki}/station-receipt.pem", key = "{pki}/station-receipt.key"}}
[limits]
reserve_bytes = 1000000
[page]
listen_host = "127.0.0.1"
listen_port = 0
certificate = "{pki}/station-tls.pem"
key = "{pki}/station-tls.key"
[desk]
command_certificate = "{pki}/checkout.pem"
command_key = "{pki}/checkout.key"
"""


class House:
    """A station at work, with a page, and somebody who may do everything there."""

    def __init__(self, directory: Path) -> None:
        pki = directory / "pki"
        create_agency(pki)
        (directory / "station.toml").write_text(_SETTINGS.format(pki=pki))
        self.runner = asyncio.Runner()
        self._work = at_work(load_station(directory / "station.toml"))
        with contextlib.redirect_stdout(io.StringIO()):  # it says when it is ready
            self.station: Station = self.run(self._begun())
        atexit.register(self.close)
        self.cameras: ASGIApp = app_of(self.station)
        self.page: ASGIApp = self.station.part(DockPage)._app
        certificate = x509.load_pem_x509_certificates((pki / "camera-tls.pem").read_bytes())[0]
        peer = peer_of(certificate.public_bytes(serialization.Encoding.DER))
        assert peer is not None
        self.peer: Peer = peer
        people = self.station.part(PeopleAudit).people
        people.add(Person("sup1", "Grace", None, frozenset(ROLES), None), who="test")
        people.set_password("sup1", PASSWORD, who="test")
        self._cookie: bytes = b""
        self._csrf: bytes = b""
        self._visitor = 0
        self._fill()

    def _fill(self) -> None:
        """A camera that has reported, with one of its recordings, and an upload that goes on."""
        self._camera(Asked("POST", b"/report", b"", (), (CORPUS / "bay-report" / "valid").read_bytes()))
        whole = (VECTORS / "SIM-0001-000001.evidence").read_bytes()
        place = self._announce(b"SIM-0001-000001.evidence", len(whole))
        self._camera(Asked("PATCH", place, b"", (*_TUS, *_PIECE, (b"upload-offset", b"0")), whole))
        self.upload = self._announce(b"SIM-0001-000007.evidence", 1_000_000).rpartition(b"/")[2]

    def _announce(self, name: bytes, length: int) -> bytes:
        told = b"filename " + base64.b64encode(name)
        headers = (*_TUS, (b"upload-length", str(length).encode()), (b"upload-metadata", told))
        return self._camera(Asked("POST", b"/files", b"", headers, b"")).headers["location"].encode()

    def _camera(self, asked: Asked) -> Answered:
        answered = self.run(ask(self.cameras, asked, {"peer": self.peer}))
        assert answered.status < 300, answered
        return answered

    async def _begun(self) -> Station:
        station = await self._work.__aenter__()
        await asyncio.sleep(0.2)  # its parts begin to run
        return station

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.runner.run(work)

    def close(self) -> None:
        self.run(self._work.__aexit__(None, None, None))
        self.runner.close()

    def log_in(self) -> None:
        """A session of a person with every role."""
        shown = self.run(ask(self.page, Asked("GET", b"/login", b"", (), b""), {}))
        cookie = shown.headers["set-cookie"].partition(";")[0].encode()
        token = _CSRF.search(shown.body)
        assert token is not None
        form = b"person=sup1&password=" + PASSWORD.replace(" ", "+").encode() + b"&csrf=" + token[1]
        kind = (b"content-type", b"application/x-www-form-urlencoded")
        entered = self.run(ask(self.page, Asked("POST", b"/login", b"", (kind, (b"cookie", cookie)), form), {}))
        assert entered.status == 303, entered.body
        self._cookie = entered.headers["set-cookie"].partition(";")[0].encode()
        page = self.run(ask(self.page, Asked("GET", b"/faults", b"", ((b"cookie", self._cookie),), b""), {}))
        found = _CSRF.search(page.body)
        assert found is not None, page.body[:2000]
        self._csrf = found[1]

    def visit(self, asked: Asked) -> Answered:
        """A request of that person, whose forms come with the session's token."""
        if not self._cookie:
            self.log_in()
        body = asked.body
        if asked.method == "POST" and not asked.path.startswith(b"/login"):
            body = body + (b"&" if body else b"") + b"csrf=" + self._csrf
        kind = (b"content-type", b"application/x-www-form-urlencoded")
        headers = [(b"cookie", self._cookie), kind, *(one for one in asked.headers if one[0] != kind[0])]
        self._visitor += 1
        address = f"192.0.2.{self._visitor % 250}"  # nobody waits here for who tried too often
        answered = self.run(ask(self.page, Asked(asked.method, asked.path, asked.query, headers, body), {}, address))
        if answered.status == 401 or answered.headers.get("location", "").startswith("/login"):
            self._cookie = b""
        return answered


@functools.cache
def house() -> House:
    directory = scratch() / "house"
    directory.mkdir()
    return House(directory)


def read_camera(data: bytes) -> None:
    """A request of a camera whose certificate holds."""
    data = data.replace(b"UPLOAD", house().upload)
    answered = house().run(ask(house().cameras, request_of(data), {"peer": house().peer}))
    assert answered.status < 500 or answered.status in (503, 507), answered
    assert answered.status < 400 or b"Traceback" not in answered.body


def read_person(data: bytes) -> None:
    """A click or a form of somebody who is logged in; the live board, which never ends, is left out."""
    asked = request_of(data)
    if b"live" in asked.path:
        return
    answered = house().visit(asked)
    assert answered.status < 500, answered
    assert b"Traceback" not in answered.body
    assert b"<script>" not in answered.body


def read_verb(data: bytes) -> None:
    """A line to the station's socket for people: whatever it is, no part of the station fails at it."""
    answer = house().station.part(Admin)._do(data, "root")
    assert not (answer.error or "").startswith("the station failed"), answer.error
    json.loads(msgspec.json.encode(answer))


def read_notes(data: bytes) -> None:
    """Each note that a station keeps for its next start, with a worn disk's bytes in it."""
    path = as_file("notes/SIM-0001.json", data)
    BayBook(path.parent)
    WitnessBook(path.parent).look("SIM-0001")
    lost = LostCameras.__new__(LostCameras)
    lost._path = path
    with contextlib.suppress(BadConfig):
        lost._load()
    intake = Intake.__new__(Intake)
    intake._done = path.parent
    intake._look_up("SIM-0001")
    house().station.part(SentFiles)._read(path)
    reconciliation = DailyReconciliation.__new__(DailyReconciliation)
    reconciliation._directory = path.parent
    reconciliation._newest()
    held = as_file("held/SIM-0001-000001.json", data)
    with contextlib.suppress(BadHold):
        HoldBook(held.parent).look(parse_name("SIM-0001-000001.evidence"))
    upload = as_file("incoming/one.json", data)
    upload.with_suffix(".part").write_bytes(b"abc")
    load_upload(upload)


TARGETS: Final = (
    Target("station-request", read_camera, ()),
    Target("page-request", read_person, ()),
    Target("station-verb", read_verb, ()),
    Target("station-notes", read_notes, ()),
)

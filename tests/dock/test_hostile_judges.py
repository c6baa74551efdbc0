"""Servers that lie, judged by the real recorder and the real agent: 0 wrong deletions, 0 evidence lost, each told.

One camera goes through the whole table with a recording on its card, then meets an honest station and the vault's
holder: only then, and at once, the recording is deleted, and what the store holds is what the camera recorded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, SYSTEM, Process, poll_until, write_agent, write_station
from hostile_station import HostileStation, Said

sys.path.append(str(Path(__file__).resolve().parents[1] / "device"))
from camera_bench import DOCK, CameraBench
from vault_holder import prove

from evidence import cms
from evidence.handover import Receipt
from evidence.keys import FileSigner
from evidence.statements import encode_canonical, moment
from evidence.verify import verify_file
from fleet.ca import Validity, create_agency, write_credential

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R34", "R38")]
Run = Callable[[str, Path], Process]
YEAR_S = 365 * 86_400


@dataclass
class Judge:
    """The camera, its one recording, and the agency's keys."""

    camera: CameraBench
    stem: str
    data: bytes
    pki: Path
    earlier: bytes = b""
    """A good receipt of an earlier recording."""

    @property
    def name(self) -> str:
        return f"{self.stem}.evidence"

    def receipt(self, by: str = "station-receipt", **lies: Any) -> bytes:
        """A receipt for the recording that is right in everything but where it lies."""
        report = verify_file(self.camera.path(self.stem), self.camera.trust)
        opened = report.opened
        assert opened is not None
        values: dict[str, Any] = {
            "v": 1, "serial": SERIAL, "stream": "recording", "number": opened.number, "name": self.name,
            "bytes": len(self.data), "sha256": hashlib.sha256(self.data).hexdigest(), "close_hash": report.close_hash,
            "nonce": opened.nonce, "store": "directory:station-1", "object_version": "1",
            "retention_class": opened.retention_class, "verdict": "valid", "station": "station-1",
            "system_id": SYSTEM, "issued": moment(time.time_ns()),
        }  # fmt: skip
        signer = FileSigner.load(self.pki / f"{by}.key", self.pki / f"{by}.pem")
        return cms.sign(encode_canonical(Receipt(**{**values, **lies})), signer, dt.datetime.now(dt.UTC))

    def there(self) -> bool:
        """The recording is on the card, byte for byte."""
        path = self.camera.path(self.stem)
        return path.exists() and path.read_bytes() == self.data


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile-pki")
    authority = create_agency(directory)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    past = Validity(authority.validity.start - dt.timedelta(days=30), now - dt.timedelta(hours=1))
    for stem, validity in (("expired", past), ("revoked", None)):
        made = authority.signer("receipt", f"Station {stem}", serial="STATION-9", validity=validity)
        write_credential(directory, stem, made)
        if stem == "revoked":
            (directory / "revoked.crl").write_bytes(authority.revoke(made.certificate, now - dt.timedelta(days=1)))
    return directory


@pytest.fixture(scope="module")
def judge(pki: Path) -> Iterator[Judge]:
    """A docked camera with one closed recording and one that was receipted before."""
    directory = Path(tempfile.mkdtemp(prefix="judge-"))
    keys = {
        "root": str(pki / "root.pem"), "evidence_key": str(pki / "camera.key"),
        "evidence_chain": str(pki / "camera.pem"), "vault": [str(pki / "vault.pem")],
        "revocation_lists": [str(pki / "revoked.crl")],
    }  # fmt: skip
    camera = CameraBench(directory, pki, extra={"keys": keys}).start()
    try:
        first = camera.double_press()
        camera.fragments(1)
        camera.hold_to_stop()
        stem = camera.double_press()
        camera.fragments(1)
        camera.hold_to_stop()
        camera.line(DOCK, active=True)
        poll_until(lambda: camera.status().docked)
        known = {one.name for one in camera.files().files}
        assert {f"{first}.evidence", f"{stem}.evidence"} <= known
        made = Judge(camera, stem, camera.path(stem).read_bytes(), pki)
        of_first = Judge(camera, first, camera.path(first).read_bytes(), pki)
        made.earlier = of_first.receipt()
        yield made
    finally:
        camera.close()
        shutil.rmtree(directory, ignore_errors=True)


def answering(wanted: str, said: Callable[[HostileStation], Said]) -> Callable[[str, str, HostileStation], Said | None]:
    """Every request of that method about evidence is answered so."""

    def lie(method: str, path: str, station: HostileStation) -> Said | None:
        return said(station) if method == wanted and path.startswith(("/files", "/receipts")) else None

    return lie


LIES: dict[str, tuple[Callable[[Judge], Any], str]] = {
    "wrong digest acknowledged": (lambda one: one.receipt(sha256="a" * 64), "its sha256 is not that of the file"),
    "receipt replayed": (lambda one: one.earlier, "the receipt is for"),
    "another camera's receipt": (lambda one: one.receipt(serial="SIM-0002"), "the receipt is for"),
    "tail lost after the acknowledgement": (lambda one: one.receipt(bytes=len(one.data) - 1), "the receipt is for"),
    "another close hash": (lambda one: one.receipt(close_hash="b" * 64), "names another close hash"),
    "another nonce": (lambda one: one.receipt(nonce="c" * 32), "its nonce is not that of the file"),
    "expired certificate": (lambda one: one.receipt(by="expired"), "not to be trusted"),
    "revoked certificate": (lambda one: one.receipt(by="revoked"), "was revoked on"),
    "a certificate of another purpose": (lambda one: one.receipt(by="profile"), "has the profile role, not receipt"),
    "clock years ahead": (
        lambda one: one.receipt(issued=moment(time.time_ns() + 20 * YEAR_S * 10**9)),
        "is valid from",
    ),
    "clock years behind": (lambda one: one.receipt(issued="1999-12-31T23:59:59.000000Z"), "is valid from"),
    "not valid, and says so": (lambda one: one.receipt(verdict="not_valid", findings=("a gap",)), "not_valid"),
    "garbage for a receipt": (lambda _: b"\x30\x82\xff\xff" * 9, "not to be trusted"),
}
"""What is signed for the recording, and the words that somebody is told."""
ANSWERS: dict[str, tuple[Callable[[str, str, HostileStation], Said | None], str]] = {
    "early 200": (answering("POST", lambda _: (200, {}, b"")), "200 is no answer to it"),
    "redirect elsewhere": (answering("POST", lambda _: (307, {"Location": "https://127.0.0.1:9/files"}, b"")), "307"),
    "507 half-way": (answering("PATCH", lambda _: (507, {}, b"no room")), "507"),
    "slowloris": (answering("POST", lambda _: (time.sleep(3), (503, {}, b""))[1]), "timed out"),
}


def visit(tmp_path: Path, judge: Judge, station: HostileStation, run: Run, timeout_s: float = 20.0) -> Process:
    """The agent's process against that station."""
    path = write_agent(tmp_path, judge.pki, port=station.port, timeout_s=timeout_s)
    path.write_text(path.read_text().replace('"recorder.sock"', f'"{judge.camera.socket}"'))
    return run("agent", path)


@pytest.fixture(scope="module")
def server(pki: Path) -> Iterator[HostileStation]:
    station = HostileStation(pki)
    yield station
    station.close()


@pytest.mark.parametrize("lie", LIES)
def test_no_lying_receipt_deletes_and_each_is_told(
    tmp_path: Path, judge: Judge, server: HostileStation, run: Run, lie: str
) -> None:
    server.honest()
    make, told = LIES[lie]
    document = make(judge)
    server.lie = lambda method, path, _: (
        (200, {}, document) if method == "GET" and path == f"/receipts/{judge.name}" else None
    )
    agent = visit(tmp_path, judge, server, run)
    poll_until(lambda: told in agent.log(), why=f"{lie}: {told!r} is told")
    assert judge.there()
    assert any(one.name == judge.name and one.state == "waiting" for one in judge.camera.files().files)


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_false_answer_deletes_and_each_is_told(
    tmp_path: Path, judge: Judge, server: HostileStation, run: Run, answer: str
) -> None:
    server.honest()
    server.lie, told = ANSWERS[answer]
    agent = visit(tmp_path, judge, server, run, 1.0 if told == "timed out" else 20.0)
    try:
        poll_until(lambda: told in agent.log(), why=f"{answer}: {told!r} is told")
    except AssertionError:
        pytest.fail(f"{answer}: {told!r} is not told in:\n{agent.log()}")
    assert judge.there()


def test_an_honest_station_ends_it_but_only_with_the_vaults_holder(
    tmp_path: Path, judge: Judge, server: HostileStation, run: Run
) -> None:
    station = run("station", write_station(tmp_path, judge.pki))
    server.honest()
    server.port, kept = station.port, server.port
    try:
        agent = visit(tmp_path, judge, server, run)
    finally:
        server.port = kept
    store = tmp_path / "station/store"
    poll_until(lambda: (store / f"{judge.name}.receipt.p7s").exists(), why=str(agent.log), seconds=60)
    poll_until(lambda: (judge.camera.status().proof_missing or 0) >= 2, why="both wait for the proof", seconds=60)
    assert judge.there(), "a vault certificate that nobody can open deletes nothing"
    assert (store / judge.name).read_bytes() == judge.data, "0 evidence lost"
    prove(judge.camera, judge.stem)
    poll_until(lambda: not judge.camera.path(judge.stem).exists(), why="deleted at last", seconds=60)
    assert (store / judge.name).read_bytes() == judge.data

"""The agent's parts by themselves: the order of files, back-off, receipts, and what a station may answer."""

from __future__ import annotations

import datetime as dt
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dock_bench import SERIAL, SYSTEM

from dock.agent.backoff import Backoff
from dock.agent.greeting import check_receipt, greet
from dock.agent.ledger import UploadLedger, open_ledger
from dock.agent.queue import UploadQueue
from dock.errors import (
    BadReceipt,
    StationFailed,
    WrongStation,
)
from dock.names import parse_name
from dock.transport.https import Answer, StationLink
from evidence import cms
from evidence.handover import Contact, Receipt, SpoolFile
from evidence.keys import FileSigner
from evidence.statements import encode_canonical, moment
from evidence.trust import Trust
from fleet.ca import create_agency

NOW = dt.datetime.now(dt.UTC)


def spool_file(number: int, **more: Any) -> SpoolFile:
    values: dict[str, Any] = {
        "name": f"{SERIAL}-{number:06d}.evidence",
        "stream": "recording",
        "number": number,
        "bytes": 100,
        "close_hash": "a" * 64,
        "upload_class": "normal",
        "state": "waiting",
    }
    return SpoolFile(**{**values, **more})


def a_receipt(**more: Any) -> Receipt:
    values: dict[str, Any] = {
        "v": 1,
        "serial": SERIAL,
        "stream": "recording",
        "number": 1,
        "name": f"{SERIAL}-000001.evidence",
        "bytes": 100,
        "sha256": "b" * 64,
        "close_hash": "a" * 64,
        "nonce": "c" * 32,
        "store": "directory:station-1",
        "object_version": "1",
        "retention_class": "standard",
        "verdict": "valid",
        "station": "station-1",
        "system_id": SYSTEM,
        "issued": moment(0),
    }
    return Receipt(**{**values, **more})


def check(receipt: Receipt, pki: Path, *, signer: str = "station-receipt", at: dt.datetime = NOW) -> Receipt:
    trust = Trust.load(pki / "root.pem")
    key = FileSigner.load(pki / f"{signer}.key", pki / f"{signer}.pem")
    signed = cms.sign(encode_canonical(receipt), key, NOW)
    return check_receipt(signed, spool_file(1), trust, serial=SERIAL, system_id=SYSTEM, at=at)


@pytest.mark.requirement("R31")
def test_critical_goes_first_then_normal_then_logs_each_oldest_first() -> None:
    queue = UploadQueue(lambda: Backoff(1, 1))
    files = [
        spool_file(1, upload_class="log"),
        spool_file(5),
        spool_file(7, upload_class="critical"),
        spool_file(4),
        spool_file(2, state="receipted"),
    ]
    order = []
    while (file := queue.next(files)) is not None:
        order.append(file.number)
        files.remove(file)
    assert order == [7, 4, 5, 1]


def test_a_file_that_failed_waits_longer_each_time_and_holds_up_no_other() -> None:
    now = [0.0]
    queue = UploadQueue(lambda: Backoff(1, 100, draw=lambda _low, high: high), clock=lambda: now[0])
    first, second = spool_file(1), spool_file(2)
    assert queue.postpone(first) == 1
    assert queue.next([first, second]) == second
    now[0] = 1.0
    assert queue.next([first, second]) == first
    assert queue.postpone(first) == 2
    now[0] = 2.9
    assert queue.next([first]) is None


def test_backoff_doubles_up_to_its_limit_with_jitter() -> None:
    low = Backoff(1, 8, draw=lambda low, _high: low)
    assert [low.next_s() for _ in range(5)] == [0.5, 1, 2, 4, 4]
    low.reset()
    assert low.next_s() == 0.5


def test_a_good_receipt_is_taken(pki: Path) -> None:
    assert check(a_receipt(), pki).verdict == "valid"


@pytest.mark.requirement("R38")
@pytest.mark.parametrize(
    "wrong",
    [
        {"serial": "SIM-0002"},
        {"name": f"{SERIAL}-000002.evidence"},
        {"number": 2},
        {"bytes": 101},
        {"close_hash": "0" * 64},
        {"system_id": "other-pd"},
        {"stream": "log"},
    ],
)
def test_a_receipt_about_something_else_is_refused(pki: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadReceipt):
        check(a_receipt(**wrong), pki)


@pytest.mark.requirement("R6", "R38")
def test_a_receipt_of_another_role_time_or_root_is_refused(pki: Path, other_pki: Path) -> None:
    for signer in ("camera", "profile"):
        with pytest.raises(BadReceipt, match="role"):
            check(a_receipt(), pki, signer=signer)
    with pytest.raises(BadReceipt, match="valid from"):
        check(a_receipt(), pki, at=NOW + dt.timedelta(days=365 * 40))
    key = FileSigner.load(other_pki / "station-receipt.key", other_pki / "station-receipt.pem")
    signed = cms.sign(encode_canonical(a_receipt()), key, NOW)
    with pytest.raises(BadReceipt, match="does not lead to the root"):
        check_receipt(signed, spool_file(1), Trust.load(pki / "root.pem"), serial=SERIAL, system_id=SYSTEM, at=NOW)
    for garbage in (b"", b"\0" * 100, b"{}"):
        with pytest.raises(BadReceipt):
            check_receipt(garbage, spool_file(1), Trust.load(pki / "root.pem"), serial=SERIAL, system_id=SYSTEM, at=NOW)


def test_upload_addresses_survive_a_restart(tmp_path: Path) -> None:
    ledger = UploadLedger(tmp_path / "uploads.sqlite")
    ledger.remember("https://a", "n", "h", "/files/1")
    ledger.close()
    ledger = UploadLedger(tmp_path / "uploads.sqlite")
    assert ledger.address("https://a", "n", "h") == "/files/1"
    assert ledger.address("https://b", "n", "h") is None
    ledger.forget("https://a", "n", "h")
    assert ledger.address("https://a", "n", "h") is None


def test_file_names() -> None:
    assert parse_name("SIM-0001-log-000012.evidence").stream == "log"
    assert parse_name("SIM-0001-000012.evidence").serial == "SIM-0001"


def test_an_agency_that_ended_is_not_believed(tmp_path: Path) -> None:
    old = tmp_path / "old"
    create_agency(old, start=NOW - dt.timedelta(days=365 * 20), years=10)
    with pytest.raises(BadReceipt, match="valid from"):
        check(a_receipt(), old)
    assert check(a_receipt(), old, at=NOW - dt.timedelta(days=365 * 15)).verdict == "valid"


def test_spool_files_keep_their_shape() -> None:
    assert msgspec.json.decode(msgspec.json.encode(spool_file(1)), type=SpoolFile) == spool_file(1)


def test_a_broken_state_directory_never_stops_an_upload(tmp_path: Path) -> None:
    (tmp_path / "uploads.sqlite").write_bytes(b"not a database" * 100)
    ledger = open_ledger(tmp_path / "uploads.sqlite")
    ledger.remember("https://a", "n", "h", "/files/1")
    assert ledger.address("https://a", "n", "h") == "/files/1"
    ledger.close()
    ledger.remember("https://a", "n", "h", "/files/1")
    assert ledger.address("https://a", "n", "h") is None


class Greeter(StationLink):
    """Answers every call with one greeting."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def call(self, *_: Any, **__: Any) -> Answer:
        return Answer(200, Message(), self._body)

    def server_certificate(self) -> bytes | None:
        return None


def greeting(pki: Path, **more: Any) -> Greeter:
    values: dict[str, Any] = {
        "v": 1,
        "serial": SERIAL,
        "station": "station-1",
        "system_id": SYSTEM,
        "nonce": "d" * 32,
        "now": moment(int(NOW.timestamp() * 1e9)),
        "uncertainty_ms": 5,
    }
    key = FileSigner.load(pki / "station-receipt.key", pki / "station-receipt.pem")
    return Greeter(cms.sign(encode_canonical(Contact(**{**values, **more})), key, NOW))


def test_a_camera_that_woke_in_1970_judges_the_station_at_the_stations_own_signed_time(pki: Path) -> None:
    trust = Trust.load(pki / "root.pem")
    woke = dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC)
    link = greeting(pki)
    with pytest.raises(WrongStation, match="valid from"):
        greet(link, trust, serial=SERIAL, system_id=SYSTEM, now=woke, log_head=None)
    greeted = greet(link, trust, serial=SERIAL, system_id=SYSTEM, now=None, log_head=None)
    assert abs(greeted.at - NOW) < dt.timedelta(seconds=1)
    late = greeting(pki, now="2090-01-01T00:00:00.000000Z")
    with pytest.raises(WrongStation, match="valid from"):
        greet(late, trust, serial=SERIAL, system_id=SYSTEM, now=None, log_head=None)


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("wrong", [{"serial": "SIM-0002"}, {"system_id": "other-pd"}])
def test_a_greeting_for_someone_else_is_refused(pki: Path, wrong: dict[str, str]) -> None:
    trust = Trust.load(pki / "root.pem")
    with pytest.raises(WrongStation):
        greet(greeting(pki, **wrong), trust, serial=SERIAL, system_id=SYSTEM, now=NOW, log_head=None)
    with pytest.raises(StationFailed, match="empty"):
        greet(Greeter(b""), trust, serial=SERIAL, system_id=SYSTEM, now=NOW, log_head=None)

"""A lost camera's lane (R11): taken in whole, flagged, locked, and never given a receipt that deletes."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dock_bench import SERIAL, Client, Process, poll_until, sha256, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from evidence import cms
from evidence.commands import KINDS, parse_command, sequence_at
from evidence.custody_ledger import Ledger, ledger_files
from evidence.keys import FileSigner
from evidence.statements import encode_canonical, moment
from fleet.ca import create_agency, write_credential

Run = Callable[[str, Path], Process]


def signed(pki: Path, kind: str, by: str = "supervisor", **fields: Any) -> bytes:
    now = dt.datetime.now(dt.UTC)
    common = {"command": kind, "v": 1, "serial": SERIAL, "sequence": sequence_at(now), "issued": moment(10**18)}
    command = msgspec.convert({**common, **fields}, KINDS[kind])
    return cms.sign(encode_canonical(command), FileSigner.load(pki / f"{by}.key", pki / f"{by}.pem"), now)


def with_desk(config: Path, pki: Path, more: str = "") -> Path:
    text = config.read_text()
    desk = f'[desk]\ncommand_certificate = "{pki}/checkout.pem"\ncommand_key = "{pki}/checkout.key"\n'
    config.write_text(more + text + desk)
    return config


def dock(verb: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", verb, "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def steps(tmp_path: Path) -> list[str]:
    ledger = Ledger(ledger_files(tmp_path / "station/custody"), None)
    return [entry.statement.step for entry in ledger.entries()]


@pytest.mark.requirement("R11", "R34", "R38")
def test_a_lost_camera_is_emptied_into_quarantine_and_locked(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    config = with_desk(write_station(tmp_path, pki), pki)
    station = run("station", config)
    said = dock("lost", config, SERIAL, "--stolen", "--reason", "taken from unit 12", "--who", "Lt. Roe")
    assert said.returncode == 0, said.stderr
    assert "comes to quarantine" in said.stdout
    again = dock("lost", config, SERIAL, "--reason", "again")
    assert again.returncode == 1
    assert "is reported as stolen already" in again.stderr

    client = Client(station.port, pki)
    (lock,) = json.loads(client("GET", "/documents")[2])
    assert lock["kind"] == "command"
    document = client("GET", f"/documents/{lock['id']}")[2]
    command, _ = parse_command(document)
    assert type(command).__name__ == "Lock"
    assert "taken from unit 12" in command.reason
    assert client("GET", "/updates/x")[0] == 403, "nothing else is open to it"

    file = camera.record(1)
    data = (camera.spool / file.name).read_bytes()
    recorder.files = [file]
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: recorder.receipts, why=str(agent.log))
    receipt = recorder.receipts[file.name]
    assert receipt.verdict == "unproven"
    assert "reported lost" in receipt.findings[0]
    assert receipt.store == "directory:quarantine-station-1"
    assert (tmp_path / "station/quarantine/store" / file.name).read_bytes() == data
    assert not (tmp_path / "station/store" / file.name).exists()
    assert (camera.spool / file.name).exists()
    poll_until(lambda: json.loads(client("GET", "/documents")[2]) == [], why="the recorder took its lock")
    agent.stop()

    unlock = tmp_path / "unlock.p7s"
    unlock.write_bytes(signed(pki, "unlock", by="checkout", reason="found"))
    refused = dock("found", config, str(unlock))
    assert refused.returncode == 1
    assert "no supervisor" in refused.stderr
    unlock.write_bytes(signed(pki, "unlock", reason="found under the seat"))
    assert dock("found", config, str(unlock)).returncode == 0
    (waiting,) = json.loads(client("GET", "/documents")[2])
    assert client("GET", f"/documents/{waiting['id']}")[2] == unlock.read_bytes()
    assert {"stolen", "quarantined", "command_taken", "found"} <= set(steps(tmp_path))


@pytest.mark.requirement("R11", "R38")
def test_a_revoked_certificate_leads_to_quarantine_from_the_next_request_on(
    tmp_path: Path, camera: Camera, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = tmp_path / "agency"
    authority = create_agency(agency)
    other = authority.tls_client("SIM-0002")
    write_credential(agency, "other-tls", other)
    crl = tmp_path / "tls.crl"
    crl.write_bytes(authority.revoke(authority.tls_client("SIM-0009").certificate, dt.datetime.now(dt.UTC)))
    config = write_station(tmp_path, agency)
    config.write_text(f'revocation_lists = ["{crl}"]\n{config.read_text()}')
    station = run("station", config)
    client = Client(station.port, agency, "other-tls")
    assert client("POST", "/contact", body=b"{}")[0] == 200
    assert client("GET", "/documents")[0] == 200
    assert client("GET", "/nowhere")[0] == 404
    crl.write_bytes(authority.revoke(other.certificate, dt.datetime.now(dt.UTC)))
    poll_until(lambda: client("GET", "/nowhere")[0] == 403)
    crl.write_bytes(b"not a list")

    def still_out() -> bool:
        return client("GET", "/nowhere")[0] == 403

    poll_until(lambda: still_out() and "the one before counts on" in station.log())
    assert still_out(), "a broken list does not let it back in"


@pytest.mark.requirement("R38")
def test_an_acceptance_is_handed_on_only_if_a_supervisor_signed_it(
    tmp_path: Path, pki: Path, camera: Camera, run: Run
) -> None:
    config = with_desk(write_station(tmp_path, pki), pki)
    words = {"file": f"{SERIAL}-000001.evidence", "sha256": sha256(b"x"), "supervisor": "Lt. Roe", "reason": "torn"}
    file = tmp_path / "accept.p7s"
    for document, why in (
        (b"no command", "firsthand-dock accept"),
        (signed(pki, "hold", recording=f"{SERIAL}-000001", reason="x"), "another one"),
        (b"\0" * 100_000, "larger than a command"),
    ):
        file.write_bytes(document)
        refused = dock("accept", config, str(file))
        assert refused.returncode == 1, refused
        assert why in refused.stderr
    file.write_bytes(signed(pki, "accept", **words))
    assert dock("accept", config, str(file)).returncode == 0, "without a running station too"
    station = run("station", config)
    client = Client(station.port, pki)
    (waiting,) = json.loads(client("GET", "/documents")[2])
    assert client("GET", f"/documents/{waiting['id']}")[2] == file.read_bytes()
    body = json.dumps({"error": "there is no closed file of that name"}).encode()
    assert client("POST", f"/documents/{waiting['id']}/answer", body=body)[0] == 204
    assert json.loads(client("GET", "/documents")[2]) == []
    assert steps(tmp_path)[-1] == "command_refused"


def test_a_book_of_lost_cameras_that_cannot_be_read_stops_the_station(tmp_path: Path, pki: Path) -> None:
    config = write_station(tmp_path, pki)
    (tmp_path / "station").mkdir()
    (tmp_path / "station/lost.json").write_text("{")
    said = dock("station", config)
    assert said.returncode == 1
    assert "lost.json cannot be read" in said.stderr

"""What a running station enters into its custody ledger, seen in its files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import TUS, Client, Process, poll_until, sha256, write_station
from dock_camera import Camera

from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.trust import Trust

Run = Callable[[str, Path], Process]


def send(client: Client, name: str, data: bytes) -> str:
    """Upload; the path of its receipt, once there is one."""
    status, headers, _ = client.create(name, len(data))
    assert status == 201
    assert client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
    where: str = poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))
    return where


def ledger(tmp_path: Path, pki: Path) -> list[CustodyEntry]:
    read = Ledger(ledger_files(tmp_path / "station/custody"), Trust.load(pki / "root.pem"))
    entries = [one.statement for one in read.entries()]
    assert read.findings == []
    return entries


@pytest.mark.requirement("R38", "R40")
def test_every_step_of_a_file_stands_in_the_ledger_before_its_receipt_is_handed_out(
    tmp_path: Path, pki: Path, camera: Camera, run: Run
) -> None:
    station = run("station", write_station(tmp_path, pki))
    client = Client(station.port, pki)
    file = camera.record(1, size=100_000)
    data = (camera.spool / file.name).read_bytes()
    receipt = client("GET", send(client, file.name, data))[2]
    came, stored, signed = [one for one in ledger(tmp_path, pki) if one.name == file.name][:3]
    assert (came.step, came.who, came.sha256) == ("received", "camera SIM-0001", sha256(data))
    assert came.details["from"] == "address 127.0.0.1"
    assert came.details["close_hash"] == file.close_hash
    assert (stored.step, stored.who, stored.details["store"]) == ("stored", "station station-1", "directory:station-1")
    assert (signed.step, signed.details["verdict"]) == ("receipt", "valid")
    assert signed.details["receipt"] == sha256(receipt)
    assert {one.serial for one in (came, stored, signed)} == {"SIM-0001"}


@pytest.mark.requirement("R38")
def test_a_file_that_does_not_verify_and_a_second_one_of_its_name_are_told(
    tmp_path: Path, pki: Path, camera: Camera, run: Run
) -> None:
    station = run("station", write_station(tmp_path, pki))
    client = Client(station.port, pki)
    file = camera.record(1)
    data = (camera.spool / file.name).read_bytes()
    send(client, file.name, data)
    send(client, file.name, data[:-7])
    steps = {one.step: one for one in ledger(tmp_path, pki) if one.sha256 == sha256(data[:-7])}
    assert set(steps) == {"received", "stored", "conflict", "not_valid", "receipt"}
    assert steps["receipt"].details["verdict"] == "not_valid"
    assert steps["conflict"].details["stored"].startswith(f"{file.name}.conflict-")
    assert "already held another file" in steps["not_valid"].details["findings"]


def test_a_ledger_that_cannot_be_written_gives_no_receipt(tmp_path: Path, pki: Path, camera: Camera, run: Run) -> None:
    """Fail closed for deletion: what is not in the ledger leaves no camera."""
    config = write_station(tmp_path, pki)
    station = run("station", config)
    client = Client(station.port, pki)
    file = camera.record(1)
    data = (camera.spool / file.name).read_bytes()
    ledger_file = tmp_path / "station/custody/ledger-000001.custody"
    station.kill()
    ledger_file.unlink()
    ledger_file.symlink_to("/dev/full")
    station = run("station", config)
    client = Client(station.port, pki)
    _, headers, _ = client.create(file.name, len(data))
    client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())
    poll_until(lambda: "cannot finish" in station.log())
    assert not (tmp_path / "station/store" / f"{file.name}.receipt.p7s").exists()
    station.kill()
    ledger_file.unlink()
    station = run("station", config)
    poll_until((tmp_path / "station/store" / f"{file.name}.receipt.p7s").exists)
    steps = [one.step for one in ledger(tmp_path, pki) if one.name == file.name]
    assert steps[:3] == ["received", "stored", "receipt"]

"""The relay: in at the network's speed, on to the archive at the uplink's, and what a receipt says (R34, R35, R38)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import TUS, Client, Process, poll_until, sha256, write_station
from dock_camera import Camera
from page_bench import open_bench
from weed import Weed, s3_table, write_credentials

from dock.config import load_station
from dock.station.holds import Holds
from dock.station.opening import open_station
from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.handover import Receipt, SpoolFile, decode_receipt
from evidence.trust import Trust

Run = Callable[[str, Path], Process]


def write_relay(directory: Path, pki: Path, archive: str) -> Path:
    path = write_station(directory, pki)
    path.write_text(f"{path.read_text()}\n[retention_days]\nstandard = 10\n[archive]\n{archive}\n")
    return path


def mounted(directory: Path, name: str = "vault") -> Path:
    """A directory that plays a mounted file system."""
    directory.mkdir()
    (directory / "firsthand-archive").write_text(f"{name}\n")
    return directory


def send(client: Client, camera: Camera, number: int, size: int = 0) -> tuple[str, bytes, str]:
    """Name, bytes and upload of a recording that the station has whole."""
    return post(client, camera, camera.record(number, size=size))


def post(client: Client, camera: Camera, file: SpoolFile) -> tuple[str, bytes, str]:
    """The same of a file that is there."""
    data = (camera.spool / file.name).read_bytes()
    where = client.create(file.name, len(data), close_hash=file.close_hash)[1]["location"]
    assert client.patch(where, 0, data)[0] == 204
    return file.name, data, where


def receipt_at(client: Client, path: str, pki: Path) -> Receipt:
    _, _, signed = poll_until(lambda: (found := client("GET", path))[0] == 200 and found, seconds=120)
    message = cms.parse_signed(signed)
    Trust.load(pki / "root.pem").check(message, role="receipt")
    return decode_receipt(message.payload)


def steps(directory: Path, pki: Path, name: str) -> list[str]:
    """What the station's custody ledger tells of a file."""
    entries = Ledger(ledger_files(directory / "station/custody"), Trust.load(pki / "root.pem")).entries()
    return [one.statement.step for one in entries if one.statement.name == name]


@pytest.mark.requirement("R34", "R38")
def test_the_camera_waits_for_the_archive_and_its_receipt_names_the_archive(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket = weed.bucket("far")
    table = s3_table(weed, bucket, write_credentials(tmp_path), lock="governance")
    config = write_relay(tmp_path, pki, f'kind = "s3"\nname = "archive-1"\nkbit_s = 8000\ns3 = {table}')
    station = run("station", config)
    client = Client(station.port, pki)
    name, data, where = send(client, camera, 1, size=20_000_000)  # twenty seconds at that rate
    poll_until(lambda: (tmp_path / "station/store" / name).exists())
    assert "firsthand-receipt" not in client("HEAD", where, TUS)[1]
    assert client("GET", f"/receipts/{name}")[0] == 404
    poll_until(lambda: weed.client().list_multipart_uploads(Bucket=bucket).get("Uploads"))
    (going,) = weed.client().list_multipart_uploads(Bucket=bucket)["Uploads"]
    whole = {"Bucket": bucket, "Key": going["Key"], "UploadId": going["UploadId"]}
    poll_until(lambda: weed.client().list_parts(**whole).get("Parts"), why="the station knows what it has begun")
    poll_until(
        lambda: list((tmp_path / "station/incoming/done").glob("*.json")), why="its own part of the work is done"
    )
    station.kill()
    assert weed.keys(bucket) == []
    config.write_text(config.read_text().replace("8000", "40000"))
    client = Client(run("station", config).port, pki)
    receipt = receipt_at(client, f"/receipts/{name}", pki)
    assert (receipt.store, receipt.verdict) == ("s3:archive-1", "valid")
    assert receipt.sha256 == sha256(data) == weed.sha256(bucket, name)
    head = weed.client().head_object(Bucket=bucket, Key=name)
    assert (receipt.object_version, head["ObjectLockMode"]) == (head["VersionId"], "GOVERNANCE")
    assert client("HEAD", where, TUS)[1]["firsthand-receipt"] == f"/receipts/{name}"
    assert weed.keys(bucket) == [name, f"{name}.receipt.p7s"]
    assert (tmp_path / "station/store" / name).read_bytes() == data
    # The file went once: the upload that the kill cut off was gone on with.
    assert len(weed.client().list_object_versions(Bucket=bucket, Prefix=name)["Versions"]) == 2
    assert not weed.client().list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.requirement("R38")
def test_a_station_that_answers_for_itself_keeps_the_archives_receipt_beside_its_own(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    archive = mounted(tmp_path / "nfs")
    config = write_relay(
        tmp_path, pki, f'kind = "directory"\nname = "vault"\ndirectory = "{archive}"\nreceipt_from = "station"'
    )
    client = Client(run("station", config).port, pki)
    name, data, _ = send(client, camera, 1)
    assert receipt_at(client, f"/receipts/{name}", pki).store == "directory:station-1"
    beside = tmp_path / "station/store" / f"{name}.archive-receipt.p7s"
    poll_until(beside.exists)
    second = decode_receipt(cms.parse_signed(beside.read_bytes()).payload)
    assert (second.store, second.sha256, second.verdict) == ("directory:vault", sha256(data), "valid")
    assert (archive / name).read_bytes() == data
    assert (archive / f"{name}.receipt.p7s").read_bytes() == beside.read_bytes()


@pytest.mark.requirement("R38")
def test_an_archive_that_is_not_mounted_gets_nothing_and_nothing_is_lost(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    empty = tmp_path / "nfs"
    empty.mkdir()
    config = write_relay(tmp_path, pki, f'kind = "directory"\nname = "vault"\ndirectory = "{empty}"')
    station = run("station", config)
    client = Client(station.port, pki)
    name, data, _ = send(client, camera, 1)
    poll_until(lambda: "is not mounted, or new: once, run: echo vault >" in station.log())
    poll_until((tmp_path / "station/store" / name).exists, why="the log tells of the archive, not of this file")
    assert client("GET", f"/receipts/{name}")[0] == 404
    assert list(empty.iterdir()) == []
    assert (tmp_path / "station/store" / name).read_bytes() == data
    (empty / "firsthand-archive").write_text("vault\n")
    assert receipt_at(client, f"/receipts/{name}", pki).store == "directory:vault"
    assert (empty / name).read_bytes() == data


def test_the_page_says_that_the_archive_is_not_there_until_it_is(tmp_path: Path) -> None:
    empty = tmp_path / "nfs"
    empty.mkdir()
    archive = f'wall = true\n[archive]\nkind = "directory"\nname = "vault"\ndirectory = "{empty}"'
    bench = open_bench(tmp_path, cameras=1, page=archive)
    try:
        with bench.client() as client:
            said = "0 files (0.0 GB) wait for the archive: the archive"
            poll_until(lambda: said in client.get("/wall").text)
            (empty / "firsthand-archive").write_text("vault\n")
            poll_until(lambda: said not in client.get("/wall").text)
    finally:
        bench.close()


@pytest.mark.requirement("R38", "R40")
def test_an_archive_that_gives_back_other_bytes_gets_no_receipt(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    archive = mounted(tmp_path / "nfs")
    config = write_relay(tmp_path, pki, f'kind = "directory"\nname = "vault"\ndirectory = "{archive}"')
    file = camera.record(1)
    data = (camera.spool / file.name).read_bytes()
    # Both names that it could get are taken by something else.
    (archive / file.name).write_bytes(os.urandom(1000))
    (archive / f"{file.name}.conflict-{sha256(data)[:12]}").write_bytes(data[:-1])
    client = Client(run("station", config).port, pki)
    where = client.create(file.name, len(data))[1]["location"]
    assert client.patch(where, 0, data)[0] == 204
    poll_until(lambda: "archive_differs" in steps(tmp_path, pki, file.name))
    assert client("GET", f"/receipts/{file.name}")[0] == 404
    assert not list(archive.glob("*.p7s"))
    # Another file is not held up by it.
    name, _, _ = send(client, camera, 2)
    assert receipt_at(client, f"/receipts/{name}", pki).store == "directory:vault"


@pytest.mark.requirement("R34", "R35", "R42")
def test_the_stations_own_copy_goes_after_its_time_one_by_one_and_a_held_one_stays(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    archive = mounted(tmp_path / "nfs")
    config = write_relay(
        tmp_path, pki, f'kind = "directory"\nname = "vault"\ndirectory = "{archive}"\nkeep_days = 36500'
    )
    station = run("station", config)
    client = Client(station.port, pki)
    recordings = [camera.record(number) for number in (1, 2, 3)]
    names = [post(client, camera, file)[0] for file in recordings]
    segment = post(client, camera, camera.log(1, recordings))[0]
    for name in (*names, segment):
        receipt_at(client, f"/receipts/{name}", pki)
    station.kill()
    own = tmp_path / "station/store"
    assert [(own / name).exists() for name in names] == [True] * 3
    with open_station(load_station(config)) as here:
        holds = here.part(Holds)
        asyncio.run(holds.begin())
        holds.hold(names[1], "litigation", "Doe v. City", "the clerk")
    (archive / names[2]).rename(archive / "elsewhere")  # the archive has lost it
    config.write_text(config.read_text().replace("36500", "0"))
    client = Client(run("station", config).port, pki)
    poll_until(lambda: not (own / names[0]).exists())
    told = ["waits_for_archive", "archived", "received", "stored", "receipt", "own_copy_removed"]
    assert [step for step in steps(tmp_path, pki, names[0]) if step in told] == told
    assert (archive / names[0]).exists()
    # What the archive had lost is passed on again before anything else happens to it.
    poll_until(lambda: not (own / names[2]).exists(), seconds=120)
    assert steps(tmp_path, pki, names[2])[-3:] == ["archive_lost", "archived", "own_copy_removed"]
    assert (archive / names[2]).read_bytes() == (archive / "elsewhere").read_bytes()
    assert (own / names[1]).exists()
    # The day's reconciliation finds each where it lies now; logs stay here for it.
    command = [sys.executable, "-m", "dock", "reconcile", "--config", str(config), "--json", "--full"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout)
    assert (report["discrepancies"], report["digests"]) == ([], 4)
    assert (own / segment).exists()
    (archive / names[0]).rename(archive / "elsewhere too")
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout)
    assert [(one["kind"], one["about"]) for one in report["discrepancies"]] == [("different", names[0])]
    (archive / "elsewhere too").rename(archive / names[0])
    # Its receipt is still handed out, and its name stays taken.
    assert receipt_at(client, f"/receipts/{names[0]}", pki).store == "directory:vault"
    (camera.spool / names[0]).unlink()
    _, other, _ = send(client, camera, 1, size=200_000)
    beside = receipt_at(client, f"/receipts/{names[0]}.conflict-{sha256(other)[:12]}", pki)
    assert (beside.verdict, beside.sha256) == ("not_valid", sha256(other))

"""What cameras put into a store of others: the station reads it all back before it signs, or says why (R34, R38)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from dock_bench import SERIAL, Client, Process, poll_until, sha256, write_station
from dock_camera import Camera
from weed import Weed, s3_table, write_credentials

from evidence import cms
from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.handover import SpoolFile, decode_receipt
from evidence.trust import Trust

Run = Callable[[str, Path], Process]
BUCKET = "cameras"


@pytest.fixture
def station(tmp_path: Path, pki: Path, run: Run, weed: Weed) -> Process:
    if BUCKET not in [one["Name"] for one in weed.client().list_buckets()["Buckets"]]:
        weed.bucket(BUCKET)
    config = write_station(tmp_path, pki)
    table = s3_table(weed, BUCKET, write_credentials(tmp_path), prefix=f"{tmp_path.name}/")
    config.write_text(f'{config.read_text()}\n[[foreign]]\nname = "far"\ns3 = {table}\n')
    return run("station", config)


@pytest.fixture
def client(station: Process, pki: Path) -> Client:
    return Client(station.port, pki)


def upload(weed: Weed, tmp_path: Path, name: str, data: bytes, *, lock: bool = False) -> None:
    """As a camera's S3 client, or a tus server's back end, would have put it there."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=7)
    more = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until} if lock else {}
    weed.client().put_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{SERIAL}/{name}", Body=data, **more)


def claim(client: Client, camera: Camera, file: SpoolFile, **changes: object) -> int:
    data = (camera.spool / file.name).read_bytes()
    said = {
        "name": file.name, "bytes": len(data), "sha256": sha256(data), "close_hash": file.close_hash, "store": "far",
        **changes,
    }  # fmt: skip
    return client("POST", "/sent", {"Content-Type": "application/json"}, msgspec.json.encode(said))[0]


def entries(tmp_path: Path, pki: Path, name: str) -> list[CustodyEntry]:
    read = Ledger(ledger_files(tmp_path / "station/custody"), Trust.load(pki / "root.pem")).entries()
    return [one.statement for one in read if one.statement.name == name]


@pytest.mark.requirement("R34", "R38")
def test_a_receipt_for_a_foreign_store_comes_from_what_this_station_has_read_there(
    tmp_path: Path, pki: Path, client: Client, camera: Camera, weed: Weed
) -> None:
    file = camera.record(1, size=12_000_000)
    data = (camera.spool / file.name).read_bytes()
    upload(weed, tmp_path, file.name, data, lock=True)
    assert claim(client, camera, file) == 204
    path = f"/receipts/{file.name}"
    _, _, signed = poll_until(lambda: (found := client("GET", path))[0] == 200 and found, seconds=60)
    message = cms.parse_signed(signed)
    Trust.load(pki / "root.pem").check(message, role="receipt")
    receipt = decode_receipt(message.payload)
    head = weed.client().head_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{SERIAL}/{file.name}")
    assert (receipt.store, receipt.verdict, receipt.sha256) == ("s3:far", "valid", sha256(data))
    assert (receipt.bytes, receipt.close_hash) == (len(data), file.close_hash)
    assert receipt.object_version == head["VersionId"]
    assert receipt.retain_until is not None, "the store showed a lock"
    assert not (tmp_path / "station/store" / file.name).exists()
    poll_until(lambda: not list((tmp_path / "station/sent").glob("*.json")))
    told = {entry.step: entry for entry in entries(tmp_path, pki, file.name)}
    assert told["received"].details["from"] == "the store s3:far"
    assert told["stored"].details["store"] == "s3:far"


@pytest.mark.requirement("R34", "R38")
@pytest.mark.parametrize("lie", ["missing", "cut off", "altered", "another's close hash"])
def test_what_is_missing_or_differs_gets_no_receipt_and_is_told(
    tmp_path: Path, pki: Path, client: Client, camera: Camera, weed: Weed, lie: str
) -> None:
    file = camera.record(2)
    data = bytearray((camera.spool / file.name).read_bytes())
    if lie == "cut off":
        del data[-1]
    if lie == "altered":
        data[len(data) // 2] ^= 1
    if lie != "missing":
        upload(weed, tmp_path, file.name, bytes(data))
    changes = {"close_hash": "9" * 64} if lie == "another's close hash" else {}
    assert claim(client, camera, file, **changes) == 204
    step = "foreign_missing" if lie == "missing" else "foreign_differs"
    poll_until(lambda: step in [entry.step for entry in entries(tmp_path, pki, file.name)], seconds=60)
    assert client("GET", f"/receipts/{file.name}")[0] == 404
    # The camera hears it when it asks again, and may then send it once more.
    poll_until(lambda: claim(client, camera, file, **changes) == 409)
    upload(weed, tmp_path, file.name, (camera.spool / file.name).read_bytes())
    assert claim(client, camera, file) == 204
    poll_until(lambda: client("GET", f"/receipts/{file.name}")[0] == 200, seconds=60)


@pytest.mark.requirement("R38")
def test_a_file_that_is_whole_and_does_not_verify_gets_a_receipt_that_deletes_nothing(
    tmp_path: Path, pki: Path, client: Client, camera: Camera, weed: Weed
) -> None:
    file = camera.record(3)
    data = bytearray((camera.spool / file.name).read_bytes())
    data[len(data) // 2] ^= 1
    (camera.spool / file.name).write_bytes(data)
    upload(weed, tmp_path, file.name, bytes(data))
    assert claim(client, camera, file) == 204
    path = f"/receipts/{file.name}"
    _, _, signed = poll_until(lambda: (found := client("GET", path))[0] == 200 and found, seconds=60)
    assert decode_receipt(cms.parse_signed(signed).payload).verdict == "not_valid"

"""A bucket as the station's store: SeaweedFS is the store, boto3 judges what is in it (R34, R38, R40, R42)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from dock_bench import SERIAL, TUS, Client, Process, poll_until, sha256
from dock_camera import Camera
from s3_bench import open_store, receipt_of, send, write_s3_station
from trap import Trap
from weed import Weed, free_ports

from dock.config import load_station
from dock.errors import BadConfig
from dock.station.beside import Beside
from dock.station.opening import open_station
from dock.station.retention import Retention
from evidence import durable
from evidence.statements import moment_ns

Run = Callable[[str, Path], Process]
DAY_S = 86_400


@pytest.mark.requirement("R34", "R38", "R40", "R42")
def test_a_recording_lies_in_the_bucket_locked_until_the_day_that_its_receipt_names(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket, s3 = weed.bucket("locked"), weed.client()
    station = run("station", write_s3_station(tmp_path, pki, weed, bucket, lock="compliance", prefix="north/"))
    client = Client(station.port, pki)
    for number, size in ((1, 300_000), (2, 20_000_000)):  # one piece, and three parts
        file = camera.record(number, size=size)
        data = (camera.spool / file.name).read_bytes()
        receipt = receipt_of(client, send(client, file.name, data, close_hash=file.close_hash), pki)
        head = s3.head_object(Bucket=bucket, Key=f"north/{file.name}", ChecksumMode="ENABLED")
        assert receipt.verdict == "valid"
        assert (receipt.store, receipt.object_version) == ("s3:locked/north", head["VersionId"])
        assert receipt.sha256 == sha256(data) == weed.sha256(bucket, f"north/{file.name}")
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert receipt.retain_until is not None
        assert moment_ns(receipt.retain_until) == int(head["ObjectLockRetainUntilDate"].timestamp()) * 10**9
        assert head["ObjectLockRetainUntilDate"] > dt.datetime.now(dt.UTC) + dt.timedelta(days=29, hours=23)
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=bucket, Key=f"north/{file.name}", VersionId=head["VersionId"])
        if number == 1:
            assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
        else:
            assert head["ChecksumSHA256"].endswith("-3")
    # The receipts stand beside as objects, and nothing is left on the station's disk.
    assert [key for key in weed.keys(bucket) if key.endswith(".p7s")] == [
        f"north/{SERIAL}-00000{number}.evidence.receipt.p7s" for number in (1, 2)
    ]
    assert [path.name for path in (tmp_path / "station/incoming").iterdir()] == ["done"]
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.requirement("R40")
def test_a_name_in_the_bucket_is_written_once_and_a_second_file_is_kept_beside_it(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket = weed.bucket("once")
    client = Client(run("station", write_s3_station(tmp_path, pki, weed, bucket)).port, pki)
    first = camera.record(5)
    data = (camera.spool / first.name).read_bytes()
    assert receipt_of(client, send(client, first.name, data), pki).store == "s3:once"
    (camera.spool / first.name).unlink()
    second = camera.record(5, size=9_000_000)
    other = (camera.spool / second.name).read_bytes()
    receipt = receipt_of(client, send(client, second.name, other, close_hash=second.close_hash), pki)
    assert receipt.verdict == "not_valid"
    assert "already held another file" in receipt.findings[0]
    beside = f"{second.name}.conflict-{sha256(other)[:12]}"
    assert weed.sha256(bucket, first.name) == sha256(data)
    assert weed.sha256(bucket, beside) == sha256(other)
    # Found again by either close hash, without a byte.
    assert client.create(second.name, len(other), close_hash=second.close_hash)[1]["upload-offset"] == str(len(other))


@pytest.mark.requirement("R38")
def test_another_station_that_shares_the_bucket_finds_what_the_first_has_put_there(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket = weed.bucket("shared")
    file = camera.record(1)
    data = (camera.spool / file.name).read_bytes()
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        station = run("station", write_s3_station(tmp_path / name, pki, weed, bucket))
        client = Client(station.port, pki)
        status, headers, said = client.create(file.name, len(data), close_hash=file.close_hash)
        assert status == 201, (name, said, station.log())
        where = headers["location"]
        if name == "one":
            send(client, file.name, data, close_hash=file.close_hash)
        digests.append(receipt_of(client, where, pki).sha256)
    assert digests == [sha256(data)] * 2
    assert len(weed.keys(bucket)) == 2


@pytest.mark.requirement("R38")
def test_a_kill_in_the_middle_of_the_way_to_the_bucket_loses_nothing_and_leaves_nothing(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket, s3 = weed.bucket("killed"), weed.client()
    config = write_s3_station(tmp_path, pki, weed, bucket, lock="governance")
    file = camera.record(1, size=40_000_000)
    data = (camera.spool / file.name).read_bytes()
    trap = Trap(weed.ports[0])
    config.write_text(config.read_text().replace(weed.endpoint, f"http://127.0.0.1:{trap.port}"))
    station = run("station", config)
    assert station.started is not None
    trap.arm(20_000_000, station.started.kill)
    where = send(Client(station.port, pki), file.name, data, close_hash=file.close_hash)
    assert trap.sprung.wait(120), station.log()
    station.kill()
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    trap.open()
    assert next((tmp_path / "station/incoming").glob("*.part")).stat().st_size == len(data)
    receipt = receipt_of(Client(run("station", config).port, pki), where, pki)
    assert (receipt.verdict, receipt.sha256) == ("valid", sha256(data))
    assert weed.sha256(bucket, file.name) == sha256(data)
    versions = s3.list_object_versions(Bucket=bucket, Prefix=file.name)["Versions"]
    assert [version["Key"] for version in versions] == [file.name, f"{file.name}.receipt.p7s"]
    poll_until(lambda: not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"))
    assert not list((tmp_path / "station/incoming").glob("*.part"))
    trap.close()


@pytest.mark.requirement("R38")
def test_while_the_store_is_away_files_come_in_and_their_receipts_wait_for_it(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    weed = Weed(tmp_path / "weed", ports=free_ports(4))
    try:
        bucket = "away"
        config = write_s3_station(tmp_path, pki, weed, bucket)
        station = run("station", config)
        client = Client(station.port, pki)
        file = camera.record(1)
        data = (camera.spool / file.name).read_bytes()
        where = send(client, file.name, data, close_hash=file.close_hash)
        assert poll_until(lambda: f"cannot finish {file.name}" in station.log())
        assert "firsthand-receipt" not in client("HEAD", where, TUS)[1]
        status, headers, body = client("GET", f"/receipts/{file.name}")
        assert (status, headers["retry-after"]) == (503, "10")
        assert b"cannot be read" in body
        weed.start().bucket(bucket)
        assert receipt_of(client, where, pki).sha256 == weed.sha256(bucket, file.name) == sha256(data)
    finally:
        weed.kill()


@pytest.mark.requirement("R38", "R42")
def test_a_bucket_that_cannot_lock_gets_the_file_and_gives_no_receipt(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket = weed.bucket("lockless", lock=False)
    station = run("station", write_s3_station(tmp_path, pki, weed, bucket, lock="compliance"))
    client = Client(station.port, pki)
    file = camera.record(1)
    where = send(client, file.name, (camera.spool / file.name).read_bytes())
    poll_until(lambda: "object lock" in station.log())
    assert "firsthand-receipt" not in client("HEAD", where, TUS)[1]
    assert list((tmp_path / "station/incoming").glob("*.part"))


def test_a_multipart_upload_that_nobody_ends_is_given_up_after_a_week_and_no_earlier(
    tmp_path: Path, weed: Weed
) -> None:
    bucket, s3 = weed.bucket("orphans"), weed.client()
    s3.create_multipart_upload(Bucket=bucket, Key="north/A-000001.evidence")
    s3.create_multipart_upload(Bucket=bucket, Key="south/A-000001.evidence")

    def going() -> list[str]:
        return [one["Key"] for one in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    open_store(tmp_path, weed, bucket, prefix="north/", ahead_s=6 * DAY_S).upkeep()
    assert len(going()) == 2
    open_store(tmp_path, weed, bucket, prefix="north/", ahead_s=8 * DAY_S).upkeep()
    assert going() == ["south/A-000001.evidence"], "another prefix is somebody else's"


def test_two_requests_that_find_the_same_receipt_in_a_bucket_both_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, beside = durable.write_new, Beside(tmp_path)

    def slowly(path: Path, data: bytes) -> None:
        time.sleep(0.2)  # both have seen that it is not there
        write(path, data)

    monkeypatch.setattr(durable, "write_new", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: beside.put("a", ".receipt.p7s", b"receipt"), range(4))) == [None] * 4
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.receipt.p7s", b"receipt")]


@pytest.mark.requirement("R42")
def test_only_a_class_with_a_figure_has_a_day() -> None:
    retention = Retention({"standard": 10, "none": 0}, lambda: 0)
    assert retention.until_class("standard") == "1970-01-11T00:00:00.000000Z"
    assert retention.until_class("none") == "1970-01-01T00:00:00.000000Z"
    assert retention.until_class("another") is None
    assert retention.until_class(None) is None


@pytest.mark.requirement("R38")
def test_a_bucket_with_a_quota_says_507_when_it_is_used_up(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed
) -> None:
    bucket = weed.bucket("narrow")
    config = write_s3_station(tmp_path, pki, weed, bucket)
    config.write_text(config.read_text().replace('object_lock = "off"', 'object_lock = "off", quota_bytes = 2000000'))
    client = Client(run("station", config).port, pki)
    file = camera.record(1, size=900_000)
    data = (camera.spool / file.name).read_bytes()
    receipt_of(client, send(client, file.name, data), pki)
    assert client.create(f"{SERIAL}-000002.evidence", 900_000)[0] == 507, "a million bytes are kept in reserve"


@pytest.mark.parametrize(
    ("lines", "mode", "sentence"),
    [("only-one", 0o600, "needs two lines"), ("key\nsecret", 0o644, "chmod 600"), (None, 0, "cannot be read")],
)
def test_credentials_that_cannot_be_used_are_told_at_the_start(
    tmp_path: Path, pki: Path, weed: Weed, lines: str | None, mode: int, sentence: str
) -> None:
    config = write_s3_station(tmp_path, pki, weed, "never")
    credentials = tmp_path / "s3.credentials"
    credentials.unlink()
    if lines is not None:
        credentials.write_text(lines)
        credentials.chmod(mode)
    with pytest.raises(BadConfig, match=sentence), open_station(load_station(config)):
        pass

"""A bucket as the station's store: SeaweedFS is the store, boto3 judges what is in it (R34, R38, R40, R42)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from botocore.exceptions import ClientError
from dock_bench import SERIAL, TUS, Client, Process, poll_until, sha256, write_station
from dock_camera import Camera
from weed import Weed, free_ports, s3_table, write_credentials

from dock.config import load_station
from dock.errors import BadConfig
from dock.station.opening import open_station
from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.handover import Receipt, decode_receipt
from evidence.statements import moment_ns
from evidence.trust import Trust

Run = Callable[[str, Path], Process]
DAY_S = 86_400


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    store = Weed(tmp_path_factory.mktemp("weed")).start()
    yield store
    store.kill()


def write_s3_station(
    directory: Path, pki: Path, weed: Weed, bucket: str, *, lock: str = "off", prefix: str = ""
) -> Path:
    """A station whose store is a bucket, with thirty days for the class `standard`."""
    path = write_station(directory, pki)
    table = s3_table(weed, bucket, write_credentials(directory), lock=lock, prefix=prefix)
    path.write_text(f'{path.read_text()}\n[store]\nkind = "s3"\ns3 = {table}\n[retention_days]\nstandard = 30\n')
    return path


def send(client: Client, name: str, data: bytes, **more: str) -> str:
    _, headers, _ = client.create(name, len(data), **more)
    where = headers["location"]
    for start in range(client.offset(where), len(data), 4_000_000):
        assert client.patch(where, start, data[start : start + 4_000_000])[0] == 204
    return where


def receipt_of(client: Client, upload: str, pki: Path) -> Receipt:
    where = poll_until(lambda: client("HEAD", upload, TUS)[1].get("firsthand-receipt"), seconds=60)
    message = cms.parse_signed(client("GET", where)[2])
    Trust.load(pki / "root.pem").check(message, role="receipt")
    return decode_receipt(message.payload)


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
        client = Client(run("station", write_s3_station(tmp_path / name, pki, weed, bucket)).port, pki)
        where = client.create(file.name, len(data), close_hash=file.close_hash)[1]["location"]
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
    station = run("station", config)
    where = send(Client(station.port, pki), file.name, data, close_hash=file.close_hash)
    poll_until(lambda: s3.list_multipart_uploads(Bucket=bucket).get("Uploads") or weed.keys(bucket), seconds=60)
    station.kill()
    assert next((tmp_path / "station/incoming").glob("*.part")).stat().st_size == len(data)
    receipt = receipt_of(Client(run("station", config).port, pki), where, pki)
    assert (receipt.verdict, receipt.sha256) == ("valid", sha256(data))
    assert weed.sha256(bucket, file.name) == sha256(data)
    versions = s3.list_object_versions(Bucket=bucket, Prefix=file.name)["Versions"]
    assert [version["Key"] for version in versions] == [file.name, f"{file.name}.receipt.p7s"]
    poll_until(lambda: not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"))
    assert not list((tmp_path / "station/incoming").glob("*.part"))


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
    poll_until(lambda: "object lock" in station.log(), seconds=30)
    assert "firsthand-receipt" not in client("HEAD", where, TUS)[1]
    assert list((tmp_path / "station/incoming").glob("*.part"))


class Liar(BaseHTTPRequestHandler):
    """Stands before the bucket, and gives back recordings with a bit changed, `lies` times."""

    protocol_version = "HTTP/1.1"
    store: ClassVar[int]
    lies: ClassVar[int]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        connection = http.client.HTTPConnection("127.0.0.1", self.store, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        real = connection.getresponse()
        data = bytearray(real.read())
        if self.command == "GET" and ".evidence?versionId" in self.path and type(self).lies:
            type(self).lies -= 1
            data[len(data) // 2] ^= 1
        self.send_response(real.status)
        for key, value in real.getheaders():
            if key.lower() not in ("date", "server", "connection"):
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
    setattr(Liar, f"do_{method}", Liar.answer)


@pytest.mark.requirement("R34", "R38")
@pytest.mark.parametrize("lies", [1, 2])
def test_a_store_that_gives_back_other_bytes_gets_no_receipt_that_deletes_until_it_tells_the_truth(
    tmp_path: Path, pki: Path, run: Run, camera: Camera, weed: Weed, lies: int
) -> None:
    bucket = weed.bucket(f"lying-{lies}")
    liar = type("OneLiar", (Liar,), {"store": weed.ports[0], "lies": lies})
    server = ThreadingHTTPServer(("127.0.0.1", 0), liar)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        config = write_s3_station(tmp_path, pki, weed, bucket)
        config.write_text(config.read_text().replace(weed.endpoint, f"http://127.0.0.1:{server.server_port}"))
        client = Client(run("station", config).port, pki)
        file = camera.record(1, size=300_000)
        data = (camera.spool / file.name).read_bytes()
        receipt = receipt_of(client, send(client, file.name, data, close_hash=file.close_hash), pki)
        read = Ledger(ledger_files(tmp_path / "station/custody"), Trust.load(pki / "root.pem")).entries()
        assert "store_differs" in [one.statement.step for one in read if one.statement.name == file.name]
        if lies == 1:  # asked once more, it had the file all the same
            assert (receipt.verdict, receipt.sha256) == ("valid", sha256(data))
        else:  # what it says that it has is no evidence; the true file is kept beside it
            assert receipt.verdict == "not_valid"
            assert receipt.object_version == weed.client().head_object(
                Bucket=bucket, Key=f"{file.name}.conflict-{sha256(data)[:12]}"
            )["VersionId"]  # fmt: skip
        assert weed.sha256(bucket, file.name) == sha256(data)
    finally:
        server.shutdown()
        server.server_close()


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

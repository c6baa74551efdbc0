"""The station, asked over real TLS: who may come in, what tus promises, what a receipt says."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import SERIAL, SYSTEM, TUS, Client, Process, poll_until, sha256, write_station
from dock_camera import Camera

from evidence import cms
from evidence.handover import Receipt, decode_contact, decode_receipt
from evidence.trust import Trust

Run = Callable[[str, Path], Process]


@pytest.fixture
def station(tmp_path: Path, pki: Path, run: Run) -> Process:
    return run("station", write_station(tmp_path, pki))


@pytest.fixture
def client(station: Process, pki: Path) -> Client:
    return Client(station.port, pki)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def receipt_of(client: Client, upload: str, pki: Path) -> Receipt:
    """The receipt of a finished upload, checked under the root."""
    where = poll_until(lambda: client("HEAD", upload, TUS)[1].get("firsthand-receipt"))
    status, _, body = client("GET", where)
    assert status == 200
    message = cms.parse_signed(body)
    Trust.load(pki / "root.pem").check(message, role="receipt")
    return decode_receipt(message.payload)


def send(client: Client, name: str, data: bytes, **more: str) -> str:
    status, headers, _ = client.create(name, len(data), **more)
    assert status == 201
    assert client.patch(headers["location"], 0, data, digest(data))[0] == 204
    return headers["location"]


@pytest.mark.requirement("R38")
def test_a_valid_recording_gets_a_receipt_that_binds_every_byte(
    client: Client, camera: Camera, pki: Path, tmp_path: Path
) -> None:
    file = camera.record(1, size=300_000)
    data = (camera.spool / file.name).read_bytes()
    receipt = receipt_of(client, send(client, file.name, data, close_hash=file.close_hash), pki)
    assert receipt.verdict == "valid"
    assert receipt.findings == ()
    assert (receipt.serial, receipt.stream, receipt.number, receipt.name) == (SERIAL, "recording", 1, file.name)
    assert (receipt.bytes, receipt.sha256, receipt.close_hash) == (len(data), sha256(data), file.close_hash)
    assert (receipt.system_id, receipt.store, receipt.retention_class) == (SYSTEM, "directory:station-1", "standard")
    assert receipt.nonce != "0" * 32
    assert (tmp_path / "station/store" / file.name).read_bytes() == data
    assert (tmp_path / "station/store" / f"{file.name}.receipt.p7s").exists()
    assert [path.name for path in (tmp_path / "station/incoming").iterdir()] == ["done"]


def test_plain_openssl_accepts_a_receipt(client: Client, camera: Camera, pki: Path, tmp_path: Path) -> None:
    file = camera.log(1)
    receipt_of(client, send(client, file.name, (camera.spool / file.name).read_bytes()), pki)
    path = tmp_path / "station/store" / f"{file.name}.receipt.p7s"
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(path), "-CAfile", str(pki / "root.pem")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.requirement("R34", "R38")
def test_a_file_that_does_not_verify_is_stored_with_a_receipt_that_deletes_nothing(
    client: Client, camera: Camera, pki: Path, tmp_path: Path
) -> None:
    file = camera.record(2)
    data = bytearray((camera.spool / file.name).read_bytes())
    data[len(data) // 2] ^= 1
    receipt = receipt_of(client, send(client, file.name, bytes(data)), pki)
    assert receipt.verdict == "not_valid"
    assert receipt.findings
    assert receipt.close_hash == "0" * 64
    assert (tmp_path / "station/store" / file.name).read_bytes() == data


def test_a_true_file_under_another_number_is_not_valid(client: Client, camera: Camera, pki: Path) -> None:
    file = camera.record(3)
    receipt = receipt_of(
        client, send(client, f"{SERIAL}-000004.evidence", (camera.spool / file.name).read_bytes()), pki
    )
    assert receipt.verdict == "not_valid"
    assert "says it is recording 3" in receipt.findings[0]


@pytest.mark.requirement("R40")
def test_a_second_file_of_the_same_name_is_kept_beside_the_first(
    client: Client, camera: Camera, pki: Path, tmp_path: Path
) -> None:
    first = camera.record(5)
    data = (camera.spool / first.name).read_bytes()
    receipt_of(client, send(client, first.name, data), pki)
    (camera.spool / first.name).unlink()
    second = camera.record(5, size=200_000)
    other = (camera.spool / second.name).read_bytes()
    receipt = receipt_of(client, send(client, second.name, other, close_hash=second.close_hash), pki)
    assert receipt.verdict == "not_valid"
    assert "already held another file" in receipt.findings[0]
    assert receipt.object_version == f"{second.name}.conflict-{sha256(other)[:12]}"
    assert (tmp_path / "station/store" / first.name).read_bytes() == data
    assert (tmp_path / "station/store" / receipt.object_version).read_bytes() == other


def test_a_file_announced_again_is_the_same_upload_and_after_the_end_it_is_there(
    client: Client, camera: Camera
) -> None:
    file = camera.record(6)
    data = (camera.spool / file.name).read_bytes()
    _, first, _ = client.create(file.name, len(data))
    assert client.patch(first["location"], 0, data[:100], digest(data[:100]))[0] == 204
    _, again, _ = client.create(file.name, len(data))
    assert (again["location"], again["upload-offset"]) == (first["location"], "100")
    assert client.patch(first["location"], 100, data[100:], digest(data[100:]))[0] == 204
    poll_until(lambda: "firsthand-receipt" in client.create(file.name, len(data))[1])
    status, after, _ = client.create(file.name, len(data))
    assert (status, after["upload-offset"]) == (201, str(len(data)))
    status, _, body = client.patch(first["location"], len(data), b"x")
    assert status == 409
    assert b"complete" in body


@pytest.mark.requirement("R38")
def test_a_wrong_checksum_changes_nothing(client: Client) -> None:
    _, headers, _ = client.create(f"{SERIAL}-000007.evidence", 1000)
    path = headers["location"]
    assert client.patch(path, 0, b"a" * 400, digest(b"a" * 400))[0] == 204
    assert client.patch(path, 400, b"b" * 400, digest(b"c" * 400))[0] == 460
    assert client.offset(path) == 400
    assert client.patch(path, 400, b"b" * 400, digest(b"b" * 400))[0] == 204


def test_a_patch_without_a_checksum_may_be_large_and_goes_down_in_steps(client: Client, pki: Path) -> None:
    data = os.urandom(9_000_000)
    _, headers, _ = client.create(f"{SERIAL}-000008.evidence", len(data))
    assert client.patch(headers["location"], 0, data)[0] == 204
    assert receipt_of(client, headers["location"], pki).sha256 == sha256(data)


def half_a_patch(client: Client, path: str, data: bytes, *, announced: int) -> http.client.HTTPSConnection:
    """Begin a PATCH without a checksum and fall silent."""
    connection = client._connection
    connection.putrequest("PATCH", path)
    words = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    for key, value in {**words, "Content-Length": str(announced)}.items():
        connection.putheader(key, value)
    connection.endheaders(data)
    return connection


def test_what_came_of_a_torn_patch_without_a_checksum_stays(station: Process, pki: Path) -> None:
    client = Client(station.port, pki)
    path = client.create(f"{SERIAL}-000010.evidence", 5000)[1]["location"]
    half_a_patch(Client(station.port, pki), path, b"z" * 1234, announced=5000).close()
    assert poll_until(lambda: client.offset(path)) == 1234


def test_a_camera_that_comes_back_need_not_wait_for_its_dead_connection(tmp_path: Path, pki: Path, run: Run) -> None:
    station = run("station", write_station(tmp_path, pki, limits="idle_s = 600.0"))  # so long it would have to wait
    client = Client(station.port, pki)
    path = client.create(f"{SERIAL}-000011.evidence", 5000)[1]["location"]
    dead = half_a_patch(Client(station.port, pki), path, b"z" * 10, announced=5000)
    data = b"y" * 5000
    # The dead one may not have reached the station yet; the live one wins in the end.
    poll_until(lambda: client.offset(path) == 5000 or client.patch(path, 0, data, digest(data))[0] == 204)
    dead.close()
    assert client.offset(path) == 5000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Upload-Offset": "5"}, 409),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "1e3"}, 400),
        ({"Upload-Checksum": "sha1 AAAA"}, 400),
        ({"Upload-Checksum": "sha256 ????"}, 400),
        ({"Content-Length": "2000"}, 413),
    ],
)
def test_a_patch_that_tus_forbids_is_refused(station: Process, pki: Path, headers: dict[str, str], status: int) -> None:
    client = Client(station.port, pki)
    _, created, _ = client.create(f"{SERIAL}-000009.evidence", 1000)
    path = created["location"]
    size = int(headers.get("Content-Length", "10"))
    assert client.patch(path, 0, b"x" * size, **headers)[0] == status
    assert Client(station.port, pki).offset(path) == 0


@pytest.mark.parametrize(
    ("name", "length", "status"),
    [
        ("../etc/passwd", "10", 400),
        (f"{SERIAL}-1.evidence", "10", 400),
        (f"{SERIAL}-000001.evidence\n", "10", 400),
        ("SIM-0002-000001.evidence", "10", 403),
        (f"{SERIAL}-000001.evidence", "0", 400),
        (f"{SERIAL}-000001.evidence", "99999999999999", 413),
        (f"{SERIAL}-000001.evidence", "9" * 40, 400),
    ],
)
def test_a_file_that_is_not_this_cameras_is_refused(client: Client, name: str, length: str, status: int) -> None:
    assert client.create(name, length)[0] == status  # type: ignore[arg-type]


def test_options_say_what_the_station_can(client: Client) -> None:
    status, headers, _ = client("OPTIONS", "/files")
    assert status == 204
    assert headers["tus-extension"] == "creation,checksum"
    assert headers["tus-checksum-algorithm"] == "sha256"
    assert int(headers["tus-max-size"]) == 64 * 2**30


def test_what_does_not_exist_is_404(client: Client) -> None:
    assert client("HEAD", "/files/" + "0" * 32, TUS)[0] == 404
    assert client("GET", f"/receipts/{SERIAL}-000077.evidence")[0] == 404
    assert client("GET", "/receipts/..%2f..%2fstation.lock")[0] == 404


def test_a_full_store_says_507(tmp_path: Path, pki: Path, run: Run) -> None:
    station = run("station", write_station(tmp_path, pki, limits="", name="full"))
    station.stop()
    station.config.write_text(station.config.read_text().replace("1000000", str(2**50)))
    client = Client(run("station", station.config).port, pki)
    assert client.create(f"{SERIAL}-000001.evidence", 10)[0] == 507


def test_the_greeting_is_signed_fresh_and_knows_the_log(
    client: Client, camera: Camera, pki: Path, tmp_path: Path
) -> None:
    trust = Trust.load(pki / "root.pem")

    def greet(body: bytes = b"") -> tuple[int, bytes]:
        status, _, data = client("POST", "/contact", {}, body)
        return status, data

    message = cms.parse_signed(greet()[1])
    trust.check(message, role="receipt", serial="STATION-1")
    first = decode_contact(message.payload)
    assert (first.serial, first.system_id, first.station, first.witness) == (SERIAL, SYSTEM, "station-1", None)
    claim = b'{"log_head":{"segment":99,"seq":9,"hash":"' + b"a" * 64 + b'"}}'
    assert greet(claim)[0] == 200
    file = camera.log(4)
    receipt = receipt_of(client, send(client, file.name, (camera.spool / file.name).read_bytes()), pki)
    assert receipt.witness is not None
    second = decode_contact(cms.parse_signed(greet()[1]).payload)
    assert second.nonce != first.nonce
    # What was proven is signed; what the network side claimed is only kept.
    assert second.witness is not None
    assert (second.witness.segment, second.witness.hash) == (4, file.close_hash)
    assert b'"claimed":{"segment":99' in (tmp_path / f"station/witness/{SERIAL}.json").read_bytes()
    for garbage in (b"{", b"[]", b'{"x":1}', b"\xff" * 100, b"[" * 4000):
        assert greet(garbage)[0] == 400
    assert greet(b" " * 5000)[0] == 413


def test_sigterm_ends_it_cleanly_and_one_directory_has_one_station(tmp_path: Path, pki: Path, run: Run) -> None:
    config = write_station(tmp_path, pki)
    station = run("station", config)
    with pytest.raises(AssertionError, match="stop it first"):
        run("station", config)
    assert station.stop() == 0


@pytest.mark.requirement("R38")
def test_whatever_a_crash_left_is_finished_at_the_next_start(
    tmp_path: Path, pki: Path, run: Run, camera: Camera
) -> None:
    config = write_station(tmp_path, pki)
    station = run("station", config)
    client = Client(station.port, pki)
    file, bare = camera.record(1), camera.record(2)
    data = (camera.spool / file.name).read_bytes()
    _, headers, _ = client.create(file.name, len(data))
    client.patch(headers["location"], 0, data[:500], digest(data[:500]))
    station.kill()
    # As if the kill had come after the last byte was durable; and after a rename, before its receipt.
    part = tmp_path / "station/incoming" / f"{headers['location'].rpartition('/')[2]}.part"
    part.write_bytes(data)
    (tmp_path / "station/store" / bare.name).write_bytes((camera.spool / bare.name).read_bytes())
    client = Client(run("station", config).port, pki)
    assert receipt_of(client, headers["location"], pki).verdict == "valid"
    status, _, signed = poll_until(lambda: (found := client("GET", f"/receipts/{bare.name}"))[0] == 200 and found)
    assert status == 200
    assert decode_receipt(cms.parse_signed(signed).payload).verdict == "valid"
    # A receipt is laid there under another name first, which goes a moment later.
    poll_until(lambda: len(list((tmp_path / "station/store").iterdir())) == 4)

"""Camera to bucket, read-back by the station, receipt to the recorder: real processes, and a bucket that lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dock_bench import SERIAL, Process, poll_until, sha256, write_agent, write_station
from dock_camera import Camera, FakeRecorder
from foreign_servers import ADMIN, BUCKET, SCOPED, Weed

from evidence.handover import SpoolFile

Run = Callable[[str, Path], Process]


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    server = Weed(tmp_path_factory.mktemp("weed"))
    server.start()
    yield server
    server.kill()


def secret(path: Path, key: tuple[str, str]) -> None:
    path.write_text("\n".join(key) + "\n")
    path.chmod(0o600)


def begin(tmp_path: Path, pki: Path, run: Run, weed: Weed) -> Process:
    """A station that reads back from the bucket, and an agent that uploads to it; the agent."""
    where = f"http://127.0.0.1:{weed.s3}"
    secret(tmp_path / "read.secret", ADMIN)
    secret(tmp_path / "write.secret", SCOPED)
    table = f'endpoint = "{where}", bucket = "{BUCKET}", prefix = "cameras/", credentials = "read.secret"'
    config = write_station(tmp_path, pki)
    config.write_text(f'{config.read_text()}\n[[foreign]]\nname = "far"\ns3 = {{{table}}}\n')
    target = f'kind = "s3"\nurl = "{where}"\nname = "far"\nbucket = "{BUCKET}"\nprefix = "cameras/"\n'
    target = f'[target]\n{target}credentials = "write.secret"\n'
    station = run("station", config)
    return run("agent", write_agent(tmp_path, pki, port=station.port, telemetry=target))


def key(file: SpoolFile) -> str:
    return f"cameras/{SERIAL}/{file.name}"


@pytest.mark.requirement("R30", "R34", "R38")
def test_a_recording_leaves_the_camera_once_the_station_has_read_it_back_from_the_bucket(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run, weed: Weed
) -> None:
    files = [camera.record(1, size=6_000_000), camera.record(2)]
    recorder.files = list(files)
    agent = begin(tmp_path, pki, run, weed)
    poll_until(lambda: len(recorder.receipts) == 2, seconds=120, why=str(agent.log))
    for file in files:
        receipt = recorder.receipts[file.name]
        assert (receipt.verdict, receipt.store) == ("valid", "s3:far")
        assert receipt.sha256 == sha256(weed.object(key(file)) or b"")
        assert weed.object(key(file)) == (camera.spool / file.name).read_bytes()
    assert recorder.files == []
    poll_until(lambda: not list((tmp_path / "station/sent").iterdir()), why="the receipt was there first")
    assert not list((tmp_path / "station/incoming").glob("*.part"))


@pytest.mark.requirement("R34", "R38")
def test_a_bucket_that_says_it_has_the_file_and_has_other_bytes_deletes_nothing(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run, weed: Weed
) -> None:
    """Right length, right words about it, wrong bytes: what the camera may ask of a bucket is not enough."""
    file, other = camera.record(11), camera.record(12)
    data = (camera.spool / file.name).read_bytes()
    weed.boto.put_object(
        Bucket=BUCKET,
        Key=key(file),
        Body=data[:-1] + bytes([data[-1] ^ 1]),
        Metadata={"sha256": sha256(data), "close-hash": file.close_hash},
    )
    recorder.files = [file, other]
    agent = begin(tmp_path, pki, run, weed)
    poll_until(lambda: other.name in recorder.receipts, seconds=120, why=str(agent.log))
    poll_until(lambda: agent.log().count(f"{file.name} is sent again") >= 2, seconds=120, why=str(agent.log))
    assert file.name not in recorder.receipts
    assert [one.name for one in recorder.files] == [file.name]
    assert (camera.spool / file.name).read_bytes() == data
    # A person takes away what was wrong there: the camera's next attempt is good.
    weed.boto.delete_object(Bucket=BUCKET, Key=key(file))
    poll_until(lambda: file.name in recorder.receipts, seconds=120, why=str(agent.log))
    assert recorder.receipts[file.name].verdict == "valid"
    assert weed.object(key(file)) == data

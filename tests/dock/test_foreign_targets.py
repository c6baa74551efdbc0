"""Our agent against servers that nobody here wrote, either side killed at random points: bytes identical at the end.

The target's word deletes nothing: at the end the file is `sent`, the station knows of it, and it lies on the camera.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder
from foreign_servers import BUCKET, SCOPED, TOKEN, Server, Weed, node_tus, python_tus
from trap import Trap

Run = Callable[[str, Path], Process]
FOREIGN = """
[[foreign]]
name = "{name}"
s3 = {{endpoint = "http://127.0.0.1:9", bucket = "evidence", credentials = "none"}}
"""


@dataclass
class Target:
    """A server as agent.toml names it, and how to look at what it holds."""

    server: Server
    port: int
    path: str
    stored: Callable[[str], bytes | None]
    more: str = ""
    scheme: str = "http"

    def table(self, port: int) -> str:
        url = f"{self.scheme}://127.0.0.1:{port}{self.path}"
        return f'[target]\nkind = "tus"\nurl = "{url}"\nname = "far"\n{self.more}'


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    server = Weed(tmp_path_factory.mktemp("weed"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path, pki: Path) -> Iterator[Target]:
    if request.param in {"seaweedfs-s3", "seaweedfs-tus"}:
        weed: Weed = request.getfixturevalue("weed")
        yield _on_weed(weed, request.param, tmp_path)
        if not weed.alive:
            weed.start()
        return
    server = node_tus(tmp_path / "far") if request.param == "node" else python_tus(tmp_path / "far", pki)
    server.start()
    files = tmp_path / "far" / "files"

    def stored(name: str) -> bytes | None:
        """Both keep uploads under names of their own, with the words about them beside."""
        for path in sorted(files.iterdir()):
            if path.suffix in {".json", ".info"} and name in path.read_text():
                data = path.with_suffix("")
                return data.read_bytes() if data.exists() else None
        return None

    if request.param == "node":
        yield Target(server, server.ports[0], "/files", stored)
    else:
        secret = tmp_path / "tus.secret"
        secret.write_text(f"bearer {TOKEN}\n")
        secret.chmod(0o600)
        more = f'credentials = "tus.secret"\nca = "{pki}/tls-ca.pem"\n'
        yield Target(server, server.ports[0], "/files/", stored, more, "https")
    server.kill()


def _on_weed(weed: Weed, kind: str, tmp_path: Path) -> Target:
    if kind == "seaweedfs-tus":

        def by_filer(name: str) -> bytes | None:
            return weed.object(f"tus/{SERIAL}/{name}")

        return Target(weed, weed.filer, f"/.tus/buckets/{BUCKET}/tus/{{serial}}/{{name}}", by_filer)
    secret = tmp_path / "s3.secret"
    secret.write_text("\n".join(SCOPED) + "\n")
    secret.chmod(0o600)

    def by_key(name: str) -> bytes | None:
        return weed.object(f"cameras/{SERIAL}/{name}")

    found = Target(weed, weed.s3, "", by_key)
    found.more = f'bucket = "{BUCKET}"\nprefix = "cameras/"\ncredentials = "s3.secret"\n'
    found.table = lambda port: Target.table(found, port).replace('"tus"', '"s3"')  # type: ignore[method-assign]
    return found


def sent(tmp_path: Path) -> list[Any]:
    database = tmp_path / "agent-state/uploads.sqlite"
    if not database.exists():
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as connection:
        try:
            return connection.execute("SELECT name, sha256, told FROM sent").fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.commit()


@pytest.mark.requirement("R30", "R34", "R38")
@pytest.mark.parametrize("target", ["node", "tuspyserver-tls", "seaweedfs-tus", "seaweedfs-s3"], indirect=True)
def test_whoever_is_killed_the_foreign_server_has_the_same_bytes_and_the_camera_keeps_its_own(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run, target: Target, request: Any
) -> None:
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**6)))
    print(f"KILL_SEED={seed}")
    draw = random.Random(seed)
    file = camera.record(draw.randrange(1, 999_999), size=13_000_000)
    data = (camera.spool / file.name).read_bytes()
    recorder.files = [file]
    station_config = write_station(tmp_path, pki)
    (station_config.parent / "none").write_text("nobody\nsecret\n")
    (station_config.parent / "none").chmod(0o600)
    station_config.write_text(station_config.read_text() + FOREIGN.format(name="far"))
    station = run("station", station_config)
    trap = Trap(target.port)
    config = write_agent(
        tmp_path, pki, port=station.port, offload="chunk_bytes = 262144", telemetry=target.table(trap.port)
    )
    agent = run("agent", config)
    for who in draw.sample(["client", "server", draw.choice(["client", "server"])], 3):
        if who == "client":
            assert agent.started is not None
            trap.arm(draw.randrange(1, 3_000_000), agent.started.kill)
            assert trap.sprung.wait(120), agent.log()
            agent.kill()
            agent = run("agent", config)
        else:
            trap.arm(draw.randrange(1, 3_000_000), target.server.kill)
            assert trap.sprung.wait(120), agent.log()
            target.server.start()
    trap.open()
    poll_until(lambda: sent(tmp_path) and sent(tmp_path)[0][2], seconds=60, why=agent.log())
    assert target.stored(file.name) == data
    [(name, sha256, _)] = sent(tmp_path)
    waiting = json.loads((tmp_path / f"station/sent/{file.name}.json").read_text())
    assert (name, waiting["name"], waiting["store"]) == (file.name, file.name, "far")
    assert waiting["sha256"] == sha256
    assert waiting["close_hash"] == file.close_hash
    # Nobody has read it back: no receipt, no deletion, however often it is asked.
    poll_until(lambda: "has not read it back yet" in agent.log())
    assert not recorder.receipts
    assert (camera.spool / file.name).read_bytes() == data
    trap.close()


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("target", ["node"], indirect=True)
def test_a_recording_cuts_off_an_upload_to_a_foreign_server_as_any_other(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run, target: Target
) -> None:
    file = camera.record(7, size=3_000_000)
    recorder.files = [file]
    station_config = write_station(tmp_path, pki)
    station_config.write_text(station_config.read_text() + FOREIGN.format(name="far"))
    (tmp_path / "none").write_text("nobody\nsecret\n")
    (tmp_path / "none").chmod(0o600)
    station = run("station", station_config)
    trap = Trap(target.port)
    slowly = "chunk_bytes = 65536\nkbit_s = 3000"  # eight seconds: the recording begins in the middle
    agent = run(
        "agent", write_agent(tmp_path, pki, port=station.port, offload=slowly, telemetry=target.table(trap.port))
    )
    poll_until(lambda: trap.passed > 300_000, why=str(agent.log))
    recorder.recording = f"{SERIAL}-000008"
    recorder.notify("state", word="changed")
    poll_until(lambda: "stopped at" in agent.log(), why=str(agent.log))
    there = trap.passed
    assert there < file.bytes
    recorder.recording = None
    recorder.notify("state", word="changed")
    poll_until(lambda: sent(tmp_path), seconds=60, why=agent.log())
    assert target.stored(file.name) == (camera.spool / file.name).read_bytes()
    trap.close()

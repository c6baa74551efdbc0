"""Clients that nobody here wrote against our station, either side killed at random points: bytes identical at the end.

What they send is real evidence over mutual TLS: the station is as strict with them as with our own cameras.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dock_bench import Client, Process, poll_until, write_station
from dock_camera import Camera
from foreign_servers import NODE, needed, node_judges
from trap import Trap

from evidence import cms
from evidence.handover import decode_receipt

Run = Callable[[str, Path], Process]
HERE = Path(__file__).parent


def command(client: str) -> list[str]:
    if client == "tus-js-client":
        return [needed("node"), str(NODE / "upload.mjs")]
    return [sys.executable, str(HERE / f"upload_with_{client}.py")]


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize("client", ["tuspy", "aiotus", "tus-js-client"])
def test_another_client_resumes_at_our_station_whoever_is_killed(
    tmp_path: Path, pki: Path, camera: Camera, run: Run, client: str
) -> None:
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**6)))
    print(f"KILL_SEED={seed}")
    draw = random.Random(seed)
    file = camera.record(draw.randrange(1, 999_999), size=4_000_000)
    data = (camera.spool / file.name).read_bytes()
    station = run("station", write_station(tmp_path, pki))
    trap = Trap(station.port)
    words = [f"https://127.0.0.1:{trap.port}/files", str(camera.spool / file.name), file.close_hash, str(pki)]
    words.append(str(tmp_path / "client.json"))
    environment = {**os.environ, "JUDGES": str(node_judges()) if client == "tus-js-client" else ""}

    def upload() -> subprocess.Popen[bytes]:
        with (tmp_path / "client.log").open("ab") as log:
            return subprocess.Popen([*command(client), *words], stderr=log, stdout=log, env=environment)

    for who in draw.sample(["client", "station", draw.choice(["client", "station"])], 3):
        assert station.started is not None
        at_work: list[subprocess.Popen[bytes]] = []
        trap.arm(
            draw.randrange(2000, 900_000),
            station.started.kill if who == "station" else lambda at_work=at_work: at_work[0].kill(),
        )
        at_work.append(upload())
        assert trap.sprung.wait(120), (tmp_path / "client.log").read_text()
        assert at_work[0].wait(120) != 0
        if who == "station":
            station.kill()
            station = run("station", write_station(tmp_path, pki, port=station.port))
    trap.open()
    assert upload().wait(120) == 0, (tmp_path / "client.log").read_text()
    trap.close()
    stored = tmp_path / "station/store" / file.name
    poll_until(lambda: stored.with_name(f"{file.name}.receipt.p7s").exists())
    assert stored.read_bytes() == data
    status, _, signed = Client(station.port, pki)("GET", f"/receipts/{file.name}")
    receipt = decode_receipt(cms.parse_signed(signed).payload)
    assert (status, receipt.verdict, receipt.bytes, receipt.close_hash) == (200, "valid", len(data), file.close_hash)
    assert not list((tmp_path / "station/store").glob("*.conflict-*"))


def test_a_client_that_cannot_say_patch_says_post(tmp_path: Path, pki: Path, camera: Camera, run: Run) -> None:
    """X-HTTP-Method-Override, which tus 1.0 asks of every server."""
    file = camera.record(1, size=300_000)
    station = run("station", write_station(tmp_path, pki))
    words = [f"https://127.0.0.1:{station.port}/files", str(camera.spool / file.name), file.close_hash, str(pki)]
    environment = {**os.environ, "JUDGES": str(node_judges()), "NO_PATCH": "yes"}
    done = subprocess.run(
        [*command("tus-js-client"), *words, str(tmp_path / "client.json")], env=environment, timeout=120, check=False
    )
    assert done.returncode == 0
    stored = tmp_path / "station/store" / file.name
    poll_until(stored.exists)
    assert stored.read_bytes() == (camera.spool / file.name).read_bytes()
    client = Client(station.port, pki)
    _, headers, _ = client.create(f"{camera.serial}-000002.evidence", 10)
    assert client("POST", headers["location"], {"Tus-Resumable": "1.0.0"}, b"x")[0] == 405

"""The real recorder, the real agent: a start cuts an upload off in mid-chunk, and the camera says how far it is."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dock_bench import Process, poll_until, write_agent
from hostile_station import HostileStation

sys.path.append(str(Path(__file__).resolve().parents[1] / "device"))
from camera_bench import DOCK, CameraBench

pytestmark = pytest.mark.slow
Run = Callable[[str, Path], Process]


@pytest.fixture
def camera(pki: Path) -> Iterator[CameraBench]:
    directory = Path(tempfile.mkdtemp(prefix="first-"))
    keys = {
        "root": str(pki / "root.pem"), "evidence_key": str(pki / "camera.key"),
        "evidence_chain": str(pki / "camera.pem"), "vault": [str(pki / "vault.pem")],
    }  # fmt: skip
    camera = CameraBench(directory, pki, extra={"keys": keys}).start()
    yield camera
    camera.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.requirement("R13", "R30")
def test_the_record_button_in_the_dock_cuts_off_the_chunk_that_is_under_way(
    tmp_path: Path, pki: Path, camera: CameraBench, run: Run
) -> None:
    stem = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    camera.line(DOCK, active=True)
    poll_until(lambda: camera.status().docked)
    under_way, cut, begun = threading.Event(), threading.Event(), threading.Event()

    def body(handler: Any, size: int) -> bytes:
        """Takes a little of the recording, and then nothing until the camera has begun to record again."""
        if handler.command != "PATCH" or begun.is_set():
            return bytes(handler.rfile.read(size))
        handler.rfile.read(min(size, 1000))
        under_way.set()
        begun.wait(600)
        # TLS hands on what was there before the cut; then nothing comes, also not the next request.
        handler.rfile.read(size)
        cut.set()
        raise ConnectionAbortedError

    station = HostileStation(pki)
    station.body = body
    try:
        path = write_agent(tmp_path, pki, port=station.port, timeout_s=600.0)
        path.write_text(path.read_text().replace('"recorder.sock"', f'"{camera.socket}"'))
        agent = run("agent", path)
        poll_until(under_way.is_set, why=str(agent.log))
        # What it says first may be from before it knew that it is docked.
        told = poll_until(lambda: (it := camera.status().offloading) and it.over == "dock" and it, why=str(agent.log))
        assert told.files >= 1
        assert told.bytes > 0
        camera.double_press()
        # Neither the chunk's end nor the time-out of ten minutes is waited for.
        poll_until(lambda: "recording comes first" in agent.log(), why=str(agent.log))
        begun.set()
        poll_until(cut.is_set)
        assert camera.status().recording is not None
        poll_until(lambda: "recording" in (camera.status().offloading.trouble or ""))  # type: ignore[union-attr]
        assert camera.path(stem).exists()
        camera.hold_to_stop()
        # The upload goes on, and all of it arrives.
        data = camera.path(stem).read_bytes()
        poll_until(lambda: any(bytes(one.data) == data for one in list(station.uploads.values())), seconds=60)
    finally:
        station.close()

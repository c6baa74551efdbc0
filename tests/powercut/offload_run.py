"""A camera and a station on one recorded card: two recordings go to the store, and later their files make room.

Camera, station and agent are the real processes. They share a card here so that one power cut hits all three at the
same instant: what must never happen is that neither has a recording any more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "device"), str(HERE.parent / "dock")]

from camera_bench import DOCK, CameraBench, until  # noqa: E402
from dock_bench import write_agent, write_station  # noqa: E402
from recorded_card import RecordedCard  # noqa: E402
from recorder_run import Without, camera_on, witnessed  # noqa: E402
from vault_holder import prove  # noqa: E402

RATE: Final = 1_500_000
"""Bits of picture a second: enough to fill what is left of the card soon."""
LEFT_BYTES: Final = 900_000
STOP_S: Final = 180


@contextlib.contextmanager
def running(program: Sequence[str], command: str, config: Path) -> Iterator[str]:
    """One of the dock's programs, as Python starts it; the line it prints when it is ready."""
    with config.with_suffix(".log").open("ab") as log:
        words = [sys.executable, *program, "dock", command, "--config", str(config)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        assert "ready" in ready, config.with_suffix(".log").read_text()[-2000:]
        yield ready
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)
        process.stdout.close()


def fill(card: Path, leave_bytes: int) -> None:
    """Somebody else's file takes the room, so that the camera need not record for hours."""
    space = os.statvfs(card)
    with (card / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leave_bytes)


def offload(card: RecordedCard, camera: CameraBench, without: Without | None = None) -> None:
    """Record, dock, hand over; then record on a full card until both old recordings are gone."""
    try:
        camera.start()
        old = []
        for _ in range(2):
            old.append(camera.double_press())
            camera.fragments(2)
            camera.hold_to_stop()
        prove(camera, old[0])
        dock(card, camera, old, without)
        until(lambda: (camera.spool / ".reserve").exists(), 180, what="the reserve")
        fill(card.place, LEFT_BYTES)
        camera.double_press()
        until(lambda: not any(camera.path(stem).exists() for stem in old), 300, what="both make room")
        camera.fragments(1)
        camera.stop()
    finally:
        camera.close()


@contextlib.contextmanager
def docked(program: Sequence[str], place: Path, beside: Path, camera: CameraBench, **more: Any) -> Iterator[None]:
    """The camera stands in the dock: station and agent run, their data on the card at `place`, settings `beside` it."""
    camera.line(DOCK, active=True)
    station = write_station(beside, camera.pki)
    station.write_text(station.read_text().replace('directory = "station"', f'directory = "{place}/station"'))
    with running(program, "station", station) as ready:
        port = int(ready.split(" (")[0].rpartition(":")[2])
        agent = write_agent(beside, camera.pki, port=port, **more)
        words = agent.read_text().replace("recorder.sock", str(camera.socket))
        agent.write_text(words.replace('"agent-state"', f'"{place}/agent"'))
        with running(program, "agent", agent):
            yield


def dock(card: RecordedCard, camera: CameraBench, stems: list[str], without: Without | None) -> None:
    """The camera stands in the dock until it has a receipt for each of these."""
    beside = card.directory / "dock"
    beside.mkdir()
    noted = witnessed(card, without)
    with docked(noted, card.place, beside, camera, offload="chunk_bytes = 65536", timeout_s=5.0):
        receipts = [camera.state / "receipts" / f"{stem}.evidence.receipt.p7s" for stem in stems]
        until(lambda: all(one.exists() for one in receipts), 300, what="a receipt for each")
    camera.line(DOCK, active=False)


def offload_camera(card: RecordedCard, pki: Path, without: Without | None = None) -> CameraBench:
    """A camera that keeps what has a receipt until it needs the space."""
    return camera_on(card, pki, without, picture={"bitrate": RATE}, roll_over_s=3600, keep_after_receipt_h=72)

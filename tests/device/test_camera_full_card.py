"""A full and a read-only card: a small ext4 on a loop device. Nothing goes without a receipt (invariants 7, 9, 13)."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import CameraBench, boottime_ns, statements, until
from fair_time import FairTime
from vault_holder import prove

from evidence import cms
from evidence.handover import Facts, Receipt, ReceiptTaken
from evidence.keys import FileSigner
from evidence.requests import FactsRequest, ReceiptRequest
from evidence.statements import Event, Gap, encode_canonical, moment

pytestmark = pytest.mark.needs_root
FAST = {"bitrate": 2_000_000}
Make = Callable[..., CameraBench]


@pytest.fixture
def card(as_root: None, tool: Callable[[str], str]) -> Iterator[Path]:
    """12 MiB of ext4, mounted."""
    with tempfile.TemporaryDirectory(prefix="card-") as name:
        image, mount = Path(name) / "image", Path(name) / "mount"
        mount.mkdir()
        with image.open("wb") as file:
            file.truncate(12 * 2**20)
        subprocess.run([tool("mkfs.ext4"), "-q", "-m", "0", "-O", "^has_journal", image], check=True)
        done = subprocess.run([tool("mount"), "-o", "loop", image, mount], capture_output=True, text=True, check=False)
        if done.returncode:
            if os.environ.get("CI") == "true":
                pytest.fail(f"cannot mount: {done.stderr}")
            pytest.skip(f"cannot mount a loop device here: {done.stderr}")
        try:
            yield mount
        finally:
            subprocess.run([tool("umount"), "-l", mount], check=True)


def fill(card: Path, leave_bytes: int) -> Path:
    """Somebody else's file takes the room, so that the test need not record for minutes."""
    space = os.statvfs(card)
    ballast = card / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - leave_bytes)
    return ballast


def receipt(camera: CameraBench, name: str) -> bytes:
    """A good receipt for a closed file."""
    path = camera.spool / name
    report = camera.verify(path.stem)
    opened = report.opened
    assert opened is not None
    assert report.close_hash is not None
    document = Receipt(
        v=1,
        serial=opened.serial,
        stream=opened.stream,
        number=opened.number,
        name=name,
        bytes=report.bytes,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        close_hash=report.close_hash,
        nonce=opened.nonce,
        store="directory:test",
        object_version="1",
        retention_class="standard",
        verdict="valid",
        station="station",
        system_id="test",
        issued=moment(int(dt.datetime.now(dt.UTC).timestamp() * 10**9)),
    )
    signer = FileSigner.load(camera.pki / "station-receipt.key", camera.pki / "station-receipt.pem")
    return cms.sign(encode_canonical(document), signer, dt.datetime.now(dt.UTC))


def storage(camera: CameraBench) -> dict[str, Any]:
    answer = camera.ask(FactsRequest(about="storage"))
    assert isinstance(answer, Facts)
    return answer.facts


def gaps(camera: CameraBench, stem: str) -> list[str]:
    return [one.cause for one in statements(camera.path(stem)) if isinstance(one, Gap)]


@pytest.mark.requirement("R29", "R34")
def test_a_full_card_ends_the_recording_loudly_and_deletes_nothing(bench: Make, card: Path, fair: FairTime) -> None:
    camera = bench(spool=card, camera=FAST).start()
    until(lambda: (card / ".reserve").exists(), what="the reserve")
    ballast = fill(card, 700_000)
    stem = camera.double_press()
    camera.wait("alarm", "storage_full")
    closed = camera.wait("recording_closed", "storage_full")
    assert closed.recording == stem
    assert camera.status().state in ("ready", "out_of_service")
    report = camera.verify(stem)
    assert report.closed is not None
    assert report.closed.reason == "storage_full"
    assert "storage_full" in gaps(camera, stem), "what was not written is named"
    seen, pressed_ns = len(camera.notices), boottime_ns()
    camera.press(times=2)
    assert fair.own_s(pressed_ns, camera.wait("alarm", "storage_full", since=seen).mono_ns) < 3
    assert camera.process is not None
    assert camera.process.poll() is None
    assert camera.path(stem).exists(), "nothing is deleted without a receipt"

    until(lambda: storage(camera)["level"] == "full", what="it goes on saying so")
    ballast.unlink()  # room again: it records without a restart
    until(lambda: (card / ".reserve").exists(), what="the reserve is set aside again")
    until(lambda: storage(camera)["level"] != "full", what="no longer full")
    again = camera.double_press()
    camera.fragments(2)
    camera.hold_to_stop()
    assert camera.stop() == 0
    camera.verify(again)
    events = camera.events()
    assert ("recording_closed", "storage_full", 1) in events
    assert ("failure_to_record", "storage_full", 1) in events
    assert not [one for one in events if one[0] == "tombstone"]


@pytest.mark.requirement("R22", "R30", "R34", "R42")
def test_receipted_files_go_to_make_room_and_the_recording_goes_on(bench: Make, card: Path) -> None:
    camera = bench(spool=card, camera=FAST, policy={"keep_after_receipt_h": 72}).start()
    until(lambda: (card / ".reserve").exists(), what="the reserve")
    old = []
    for _ in range(2):
        old.append(camera.double_press())
        camera.fragments(4)
        camera.hold_to_stop()
    name = f"{old[0]}.evidence"
    answer = camera.ask(ReceiptRequest(name=name, receipt=receipt(camera, name)))
    assert isinstance(answer, ReceiptTaken)
    assert not answer.deleted, "72 hours are not over, and there is room"
    assert camera.path(old[0]).exists()
    prove(camera, old[1])
    assert camera.path(old[0]).exists(), "a proof is no reason to delete"
    size = camera.path(old[0]).stat().st_size
    fill(card, 600_000)
    new = camera.double_press()
    camera.wait("deleted")
    assert not camera.path(old[0]).exists()
    assert camera.path(old[1]).exists(), "without a receipt it stays, however full the card is"
    camera.fragments(1)
    assert camera.status().recording == new
    camera.stop()
    camera.verify(new)
    assert gaps(camera, new) == [], "the recording went on without a hole"
    tombstones = [one for one in camera.log_statements() if isinstance(one, Event) and one.event == "tombstone"]
    assert [(one.recording, one.file.bytes) for one in tombstones if one.file is not None] == [(1, size)]


@pytest.mark.requirement("R29")
def test_a_read_only_card_is_told_and_the_daemon_lives(bench: Make, card: Path, tool: Callable[[str], str]) -> None:
    camera = bench(spool=card, policy={"severity": {}}).start()
    first = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    subprocess.run([tool("mount"), "-o", "remount,ro", card], check=False)
    if not os.statvfs(card).f_flag & os.ST_RDONLY:
        camera.stop()
        subprocess.run([tool("mount"), "-o", "remount,ro", card], check=True)
        camera.start(ready=False)
    camera.world({"op": "pin", "pin": 24, "level": 0})  # the emergency button
    camera.wait("alarm")
    assert camera.process is not None
    assert camera.process.poll() is None
    until(lambda: camera.status().self_test == "block" or camera.ask_selftest() == "block")
    subprocess.run([tool("mount"), "-o", "remount,rw", card], check=True)
    until(lambda: camera.notices and [n for n in camera.notices if n.event == "fragment" and n.recording != first])
    camera.stop()
    camera.verify(first)
    camera.verify("SIM-0001-000002")
    assert gaps(camera, "SIM-0001-000002"), "what the card did not take is named"

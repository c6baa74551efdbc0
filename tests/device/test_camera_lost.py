"""A camera that was lost (R11), and a file that does not verify (R38): only signed commands change what may happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import CameraBench
from people_bench import command, logged_details
from test_camera_full_card import receipt
from test_device_receipts import Desk

from device.errors import ReceiptRefused
from evidence.handover import Done, Refused
from evidence.requests import ReceiptRequest

Make = Callable[..., CameraBench]


@pytest.mark.requirement("R11", "R34")
def test_a_lost_camera_says_do_not_use_deletes_nothing_and_still_records(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.hold_to_stop()
    assert command(camera, "lock", by="checkout", reason="reported stolen by unit 12") == Done()
    camera.wait("lock", "locked")
    assert "custody" in camera.status().do_not_use
    camera.ask(ReceiptRequest(name=f"{stem}.evidence", receipt=receipt(camera, f"{stem}.evidence")))
    second = camera.double_press()
    camera.hold_to_stop()
    assert camera.path(stem).exists(), "a receipt frees nothing on a locked camera"
    assert camera.path(second).exists(), "recording first"
    assert camera.stop() == 0
    camera.start()
    assert "custody" in camera.status().do_not_use, "a restart does not unlock it"
    refused = command(camera, "unlock", by="checkout", reason="found")
    assert isinstance(refused, Refused)
    assert "may not give unlock" in refused.error
    assert command(camera, "unlock", reason="Sgt. Doe looked at it") == Done()
    assert "custody" not in camera.status().do_not_use
    assert camera.stop() == 0
    assert [one["reason"] for one in logged_details(camera, "lock") if "reason" in one] == [
        "reported stolen by unit 12",
        "Sgt. Doe looked at it",
    ]


@pytest.fixture
def desk(pki: Path, tmp_path: Path) -> Desk:
    return Desk(pki, tmp_path)


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("verdict", ["not_valid", "unproven"])
def test_a_file_that_does_not_verify_goes_only_when_these_very_bytes_were_accepted(desk: Desk, verdict: str) -> None:
    name, other = desk.recording(1), desk.recording(2)
    known, another = desk.spool.find(name), desk.spool.find(other)
    assert known is not None
    assert another is not None
    document = desk.receipt(name, verdict=verdict, findings=("a byte is wrong",), close_hash="0" * 64, nonce="0" * 32)
    with pytest.raises(ReceiptRefused):
        desk.receipts.check(name, document)
    desk.spool.appended.accept(name, another.facts.sha256)
    with pytest.raises(ReceiptRefused):
        desk.receipts.check(name, document)
    desk.spool.appended.accept(name, known.facts.sha256)
    assert desk.receipts.check(name, document).verdict == verdict
    with pytest.raises(ReceiptRefused, match="its sha256"):
        desk.receipts.check(name, desk.receipt(name, verdict=verdict, sha256="1" * 64))
    desk.spool.appended.save()
    desk.spool.appended.forget(name)
    assert desk.spool.appended.accepted(name) is None
    desk.writer.stop()


@pytest.mark.requirement("R33", "R38")
def test_an_acceptance_names_a_file_of_this_camera_and_its_digest(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.hold_to_stop()
    words = {"supervisor": "Lt. Roe", "reason": "the store has every byte"}
    wrong = command(camera, "accept", file=f"{stem}.evidence", sha256="0" * 64, **words)
    assert isinstance(wrong, Refused)
    assert "is not what was accepted" in wrong.error
    unknown = command(camera, "accept", file="SIM-0001-000099.evidence", sha256="0" * 64, **words)
    assert isinstance(unknown, Refused)
    assert "no closed file" in unknown.error
    sha256 = camera.verify(stem).sha256
    assert command(camera, "accept", file=f"{stem}.evidence", sha256=sha256, **words) == Done()
    assert camera.stop() == 0
    assert logged_details(camera, "accepted")[0]["supervisor"] == "Lt. Roe"

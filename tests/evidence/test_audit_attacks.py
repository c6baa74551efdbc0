"""Every attack on a heap of evidence is found, or called unknown; none comes out as complete (R38, invariant 9)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from camera_shift import STORE, Camera
from recordings import Agency

from evidence.sealed import seal
from evidence.splitter import Splitter, StatementBytes

if TYPE_CHECKING:
    from audited import Audit

pytest_plugins = ["audited"]


def cut(path: Path, part: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


@pytest.mark.requirement("R38", "R41")
def test_a_dropped_recording_is_missing_and_the_log_names_it(shift: tuple[Camera, Path], audit: Audit) -> None:
    _, store = shift
    (store / "SIM-0001-000002.evidence").unlink()
    held = audit(store)
    assert held.rows["recording", 2]["state"] == f"held by {STORE}", "the receipt says who has it"
    claimed = audit(store, more=("--store", STORE))
    assert (claimed.code, claimed.kinds) == (1, {"missing"})
    (store / "SIM-0001-000002.evidence.receipt.p7s").unlink()
    found = audit(store)
    assert (found.code, found.verdict) == (1, "not_complete")
    assert found.texts == [
        "missing: recording 2: neither file nor receipt is here; the log names it (recording_closed, recording_opened)"
    ]


def test_a_number_that_even_the_log_never_named_is_missing(camera: Camera, audit: Audit) -> None:
    camera.event("boot")
    camera.record()
    camera.record(number=4)
    found = audit(camera.card)
    assert "missing: recordings 2-3: neither file nor receipt is here; the log does not name it" in found.texts


@pytest.mark.requirement("R41")
@pytest.mark.parametrize("with_receipt", [True, False])
def test_a_dropped_log_segment_is_missing(shift: tuple[Camera, Path], audit: Audit, with_receipt: bool) -> None:
    camera, store = shift
    camera.close_log()
    (store / "SIM-0001-log-000001.evidence").unlink()
    (camera.card / "SIM-0001-log-000001.evidence").unlink()
    if not with_receipt:
        (store / "SIM-0001-log-000001.evidence.receipt.p7s").unlink()
    found = audit(store, camera.card)
    assert (found.code, found.proven) == (1, None)
    assert any(text.startswith("missing: log segment 1:") for text in found.texts), found.texts


def test_a_reused_recording_number_is_forked(shift: tuple[Camera, Path], audit: Audit, tmp_path: Path) -> None:
    """The card is set back and the same number is recorded again: file, receipt and log do not agree."""
    camera, store = shift
    (camera.card / "SIM-0001-000003.evidence").unlink()
    camera.record(number=3)
    found = audit(store, camera.card)
    assert found.code == 1
    assert "forked" in found.kinds
    alone = audit(camera.card)
    assert any("the number was used again" in text for text in alone.texts), alone.texts


def test_a_card_and_log_set_back_to_an_older_image_are_rolled_back(
    camera: Camera, audit: Audit, tmp_path: Path
) -> None:
    """The whole card is an older copy, and the camera goes on: its new segment 1 is not the one that was witnessed."""
    store = tmp_path / "store"
    camera.event("boot")
    camera.record()
    image = tmp_path / "image"
    shutil.copytree(camera.card, image)
    camera.record()
    camera.upload(store, camera.close_log())
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    shutil.copy(store / "SIM-0001-log-000001.evidence.receipt.p7s", receipts)
    found = audit(image, receipts)
    assert found.code == 1
    assert "rolled_back" in found.kinds
    assert "receipt of station-1" in found.texts[-1]
    assert audit(image, store).kinds >= {"missing"}, "the store's log names recording 2"


@pytest.mark.requirement("R41")
def test_a_log_behind_the_head_that_a_contact_witnessed_is_rolled_back(
    shift: tuple[Camera, Path], audit: Audit, tmp_path: Path
) -> None:
    """The log's tail is cut at a statement; the station's greeting still names its head."""
    _, store = shift
    log = store / "SIM-0001-log-000001.evidence"
    data = log.read_bytes()
    ends = [one.offset for one in Splitter().feed(data) if isinstance(one, StatementBytes)]
    log.write_bytes(data[: ends[-4]])
    for receipt in store.glob("*.receipt.p7s"):
        receipt.unlink()
    found = audit(store)
    assert found.code == 1
    assert any("contact with station-1" in text and text.startswith("rolled_back") for text in found.texts)


def test_the_moved_sei_attack_leaves_a_recording_without_its_close(shift: tuple[Camera, Path], audit: Audit) -> None:
    """Cutting the tail is invisible to the media signature (reference, layer A); the log names bytes and close hash."""
    camera, _ = shift
    cut(camera.card / "SIM-0001-000004.evidence", 0.8)
    found = audit(camera.card)
    assert found.kinds == {"unclosed", "differs"}


def test_a_recording_cut_and_closed_again_by_the_thief_of_a_key_differs_from_the_log(
    agency: Agency, shift: tuple[Camera, Path], audit: Audit
) -> None:
    camera, _ = shift
    path = camera.card / "SIM-0001-000004.evidence"
    cut(path, 0.8)
    camera._recover(path)
    found = audit(camera.card)
    assert "differs" in found.kinds
    assert found.code == 1


def test_a_cut_tail_of_card_and_log_is_never_complete(camera: Camera, audit: Audit, tmp_path: Path) -> None:
    """The last 40 s vanish from recording and log alike, then the camera restarts and recovers both."""
    store = tmp_path / "store"
    camera.event("boot")
    camera.upload(store, camera.record(), camera.close_log())
    camera.event("docked")
    camera.wait(5)
    writer = camera.begin()
    camera.film(writer, 10)
    image = writer.path.read_bytes(), camera.log.path.read_bytes()  # type: ignore[union-attr]
    camera.film(writer, 40)
    camera.event("state", word="recording")
    writer.path.write_bytes(image[0])
    camera.log.path.write_bytes(image[1])  # type: ignore[union-attr]
    camera.restart(writer.path)
    camera.upload(store, writer.path, camera.card / "SIM-0001-log-000002.evidence", camera.close_log())
    camera.contact(store)
    found = audit(store)
    assert found.verdict == "unknown"
    assert any("end of recording 2" in text for text in found.unknown)
    assert any("log segment 2 after" in text for text in found.unknown)


def test_a_stitched_tail_is_rolled_back(agency: Agency, camera: Camera, audit: Audit) -> None:
    """The card is cut by 40 s and a foreign object appended; the log was left alone and knows better."""
    camera.event("boot")
    camera.record()
    writer = camera.begin()
    camera.film(writer, 10)
    image = writer.path.read_bytes()
    camera.film(writer, 40)
    camera.event("state", word="recording")
    writer.path.write_bytes(image + seal([b"foreign"], [agency.recipient]))
    camera.restart(writer.path)
    camera.close_log()
    found = audit(camera.card)
    assert (found.code, found.kinds) == (1, {"rolled_back"})
    assert any("nothing announced" in text for text in found.texts)
    assert any("at work 40 s after" in text for text in found.texts)


def test_a_stitched_tail_with_the_log_cut_too_is_rolled_back_by_its_orphan(
    agency: Agency, camera: Camera, audit: Audit
) -> None:
    camera.event("boot")
    writer = camera.begin()
    camera.film(writer, 10)
    image, log = writer.path.read_bytes(), camera.log.path.read_bytes()  # type: ignore[union-attr]
    camera.film(writer, 40)
    camera.event("state", word="recording")
    writer.path.write_bytes(image + seal([b"foreign"], [agency.recipient]))
    camera.log.path.write_bytes(log)  # type: ignore[union-attr]
    camera.restart(writer.path)
    found = audit(camera.card)
    assert (found.code, found.kinds) == (1, {"rolled_back"})


@pytest.mark.parametrize("power", [True, False])
def test_an_honest_crash_is_unknown_at_its_end_and_no_accusation(camera: Camera, audit: Audit, power: bool) -> None:
    """Of the power, or of the program alone, when the log goes on in the same boot."""
    camera.event("boot")
    writer = camera.begin()
    camera.film(writer, 10)
    with writer.path.open("ab") as file:
        file.write(b"\x30\x82")  # torn
    camera.wait(60)
    camera.restart(writer.path, power=power)
    camera.record()
    found = audit(camera.card)
    assert (found.code, found.verdict) == (0, "unknown"), found.texts
    assert any("end of recording 1" in text for text in found.unknown)
    assert any("log segment 1 after" in text for text in found.unknown)
    assert found.rows["recording", 1]["state"] == "here, recovered"


def test_a_recording_that_the_log_does_not_name_is_not_of_this_log(
    camera: Camera, audit: Audit, tmp_path: Path
) -> None:
    """Someone with the camera's key made a recording: the log that went on does not know it."""
    camera.event("boot")
    forger = Camera(camera.agency, tmp_path / "forger")
    forger.wait(5)
    forged = forger.record()
    camera.wait(100)
    camera.event("state", word="ready")
    shutil.copy(forged, camera.card)
    found = audit(camera.card)
    assert "not_in_log" in found.kinds, found.texts


def test_a_log_segment_of_another_chain_is_forked(shift: tuple[Camera, Path], audit: Audit, tmp_path: Path) -> None:
    camera, store = shift
    other = Camera(camera.agency, tmp_path / "other")
    other.event("boot")
    other.close_log()
    other.event("boot")
    log = camera.close_log()
    shutil.copy(other.close_log(), log)
    assert audit(store, log).kinds >= {"forked"}


def test_files_out_of_the_order_of_the_clock_are_told(camera: Camera, audit: Audit) -> None:
    camera.event("boot")
    camera.record()
    camera.clock.mono_ns -= 60 * 10**9
    camera.clock.utc_ns -= 60 * 10**9
    second = camera._writer("recording", 2)
    camera._open(second, "normal")
    second.commit()
    assert "out_of_order" in audit(camera.card).kinds


def test_two_recordings_at_once_overlap(camera: Camera, audit: Audit) -> None:
    camera.event("boot")
    first = camera.begin()
    camera.film(first, 2)
    second = camera.begin()
    camera.film(second, 2)
    camera.number = 1
    camera.end(first)
    camera.number = 2
    camera.end(second)
    assert audit(camera.card).kinds == {"overlapping"}


def test_a_damaged_file_is_not_valid_and_named(shift: tuple[Camera, Path], audit: Audit) -> None:
    _, store = shift
    path = store / "SIM-0001-000002.evidence"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = audit(store)
    assert found.code == 1
    assert found.rows["recording", 2]["state"] == "not valid"

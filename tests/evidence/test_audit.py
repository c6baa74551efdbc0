"""What is here, what is held elsewhere, and up to which contact completeness is proven (R38, invariant 9)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from camera_shift import STORE, Camera
from recordings import Agency

from evidence.__main__ import main
from evidence.audit_log import holes, spans

if TYPE_CHECKING:
    from audited import Audit

pytest_plugins = ["audited"]
Out = pytest.CaptureFixture[str]


# --- what is complete -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R38", "R41")
def test_a_whole_shift_is_complete_up_to_its_contact_and_unknown_after_it(
    shift: tuple[Camera, Path], audit: Audit
) -> None:
    camera, store = shift
    found = audit(store)
    assert (found.code, found.verdict) == (0, "complete_until_contact")
    assert found.proven is not None
    assert found.proven["head"]["segment"] == 1
    assert found.unknown == [f"everything after log segment 1, statement {found.proven['head']['seq']}"]
    both = audit(store, camera.card)
    assert both.verdict == "complete_until_contact", both.texts
    assert any("present twice" in note for note in both.notes)


def test_a_nonce_is_resolved_to_the_contact_that_handed_it_out(shift: tuple[Camera, Path], audit: Audit) -> None:
    camera, store = shift
    rows = audit(store, camera.card).rows
    assert "contact with station-1" in rows["recording", 4]["not_before"]
    assert "receipt of station-1" in rows["recording", 1]["not_later"]
    assert rows["recording", 1].get("not_before") is None


@pytest.mark.requirement("R34")
def test_a_deleted_recording_with_tombstone_and_receipt_is_fine(camera: Camera, tmp_path: Path, audit: Audit) -> None:
    camera.event("boot")
    first = camera.record()
    camera.upload(tmp_path / "store", first, camera.close_log())
    camera.upload(tmp_path / "store", first, delete=True)
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    for receipt in (tmp_path / "store").glob("*.receipt.p7s"):
        shutil.copy(receipt, receipts)
    found = audit(camera.card, receipts)
    assert (found.code, found.verdict) == (0, "complete_until_contact"), found.texts
    assert found.rows["recording", 1]["state"] == f"held by {STORE}, deleted from the card"
    assert audit(camera.card).kinds == {"missing"}, "a tombstone without its receipt proves nothing"


def test_without_any_witness_nothing_is_proven(camera: Camera, audit: Audit) -> None:
    camera.event("boot")
    camera.record()
    camera.close_log()
    found = audit(camera.card)
    assert (found.code, found.verdict, found.proven) == (0, "unknown", None)


def test_a_deleted_log_segment_with_receipt_leaves_its_words_unknown(
    camera: Camera, tmp_path: Path, audit: Audit
) -> None:
    camera.event("boot")
    camera.upload(tmp_path / "store", first := camera.close_log())
    camera.upload(tmp_path / "store", first, delete=True)
    camera.upload(tmp_path / "store", camera.close_log())
    (tmp_path / "store" / first.name).unlink()
    found = audit(tmp_path / "store")
    assert (found.code, found.verdict) == (0, "unknown"), found.texts
    assert audit(tmp_path / "store", more=("--store", STORE)).kinds == {"missing"}


# --- the command ------------------------------------------------------------------------------------------------------


def test_people_read_a_table_and_sentences(agency: Agency, shift: tuple[Camera, Path], capsys: Out) -> None:
    camera, store = shift
    (store / "SIM-0001-000002.evidence").unlink()
    (store / "SIM-0001-000002.evidence.receipt.p7s").unlink()
    (camera.card / "SIM-0001-000002.evidence").unlink()
    assert main(["audit", str(store), str(camera.card), "--root", agency.file("root.pem")]) == 1
    shown = capsys.readouterr().out
    assert "SIM-0001: NOT COMPLETE" in shown
    assert "finding    missing: recording 2: neither file nor receipt is here" in shown
    assert "SIMULATED" in shown


def test_nothing_to_read_is_2_and_wrong_usage_64(agency: Agency, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no evidence")
    assert main(["audit", str(tmp_path), "--root", agency.file("root.pem")]) == 2
    assert main(["audit", str(tmp_path / "absent"), "--root", agency.file("root.pem")]) == 2
    assert main(["audit", str(tmp_path), "--root", str(tmp_path / "absent.pem")]) == 64


def test_a_damaged_receipt_is_told(agency: Agency, shift: tuple[Camera, Path], capsys: Out) -> None:
    _, store = shift
    receipt = store / "SIM-0001-000002.evidence.receipt.p7s"
    data = bytearray(receipt.read_bytes())
    for place in (60, len(data) // 2, len(data) - 1):
        data[place] ^= 1
        receipt.write_bytes(data)
        assert main(["audit", str(store), "--root", agency.file("root.pem")]) == 1
        assert f"{receipt}: NOT VALID" in capsys.readouterr().out
        data[place] ^= 1


def test_receipts_of_strangers_do_not_count(shift: tuple[Camera, Path], real_agency: Agency, capsys: Out) -> None:
    _, store = shift
    assert main(["audit", str(store), "--root", real_agency.file("root.pem")]) == 1
    assert "NOT VALID" in capsys.readouterr().out


def test_counting_costs_nothing_for_a_number_that_a_liar_made_huge() -> None:
    assert list(holes([1, 2, 2**53], 2**53)) == [(3, 2**53 - 1)]
    assert list(holes([], 0)) == []
    assert list(spans([3, 1, 2, 7])) == [(1, 3), (7, 7)]

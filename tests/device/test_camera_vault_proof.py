"""A real camera, a real holder: a receipt alone deletes nothing, receipt and proof delete (R40, invariant 8)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from camera_bench import PURSUIT, CameraBench, until
from test_camera_full_card import receipt
from vault_holder import proof_of, prove

from device.answers import status_lines
from evidence.__main__ import main
from evidence.handover import ReceiptTaken, Refused
from evidence.requests import ProofRequest, ReceiptRequest
from fleet.ca import Authority, Validity, write_credential

Make = Callable[..., CameraBench]


def closed(camera: CameraBench, stem: str) -> str:
    camera.fragments(1)
    camera.hold_to_stop()
    until(lambda: any(one.name == f"{stem}.evidence" for one in camera.files().files))
    return stem


@pytest.mark.requirement("R34", "R40")
def test_receipt_and_proof_delete_and_neither_does_alone(bench: Make) -> None:
    camera = bench().start()
    plain = closed(camera, camera.double_press())
    seen = len(camera.notices)
    camera.line(PURSUIT, active=True)
    critical = camera.opened(seen)
    camera.line(PURSUIT, active=False)
    closed(camera, critical)
    for stem in (plain, critical):
        name = f"{stem}.evidence"
        answer = camera.ask(ReceiptRequest(name=name, receipt=receipt(camera, name)))
        assert answer == ReceiptTaken(deleted=False, keep_s=0, proof_missing=True)
    assert camera.status().proof_missing == 2
    assert [one.proof_missing for one in camera.files().files if one.stream == "recording"] == [True, True]
    assert any("2 files with a receipt stay" in line for line in status_lines(camera.status()))

    lost = Authority("Another agency", simulated=True, validity=Validity.years(1, dt.datetime.now(dt.UTC))).vault(
        "A key that somebody has"
    )
    write_credential(camera.directory, "other", lost)
    signer = ["--cert", str(camera.pki / "proof.pem"), "--key", str(camera.pki / "proof.key")]
    other = ["--vault-cert", str(camera.directory / "other.pem"), "--vault-key", str(camera.directory / "other.key")]
    where = ["--root", str(camera.pki / "root.pem"), "--out", str(camera.directory / "none")]
    assert main(["prove-open", str(camera.path(plain)), *where, *other, *signer]) == 1, "the wrong key opens nothing"
    assert not list((camera.directory / "none").iterdir())
    assert camera.path(plain).exists()

    document = proof_of(camera, plain)
    assert isinstance(camera.ask(ProofRequest(proof=document[:-1])), Refused)
    prove(camera, plain)
    camera.wait("deleted")
    assert not camera.path(plain).exists()
    assert camera.path(critical).exists(), "that another recording opens is not enough for a critical one"
    assert camera.status().proof_missing == 1

    camera.kill()
    camera.start()
    until(lambda: camera.status().proof_missing == 1, what="it still waits after a crash")
    seen = len(camera.notices)
    prove(camera, critical)
    camera.wait("deleted", since=seen)
    assert not camera.path(critical).exists()
    assert camera.status().proof_missing == 0
    assert camera.stop() == 0
    events = [event for event, _, _ in camera.events() if event.startswith(("proof_", "tombstone"))]
    assert events == ["proof_refused", "proof_taken", "tombstone", "proof_taken", "tombstone"]

"""The vault's holder at the bench: opens a real recording with the real tool, and hands its proof to the camera."""

from __future__ import annotations

from pathlib import Path

from camera_bench import CameraBench

from evidence.__main__ import main
from evidence.handover import Done
from evidence.requests import ProofRequest


def proof_of(camera: CameraBench, stem: str, out: Path | None = None) -> bytes:
    """What `firsthand-evidence prove-open` signs for a closed recording on the card."""
    pki, out = camera.pki, out or camera.directory / "proofs"
    options = {"root": "root.pem", "vault-cert": "vault.pem", "vault-key": "vault.key", "cert": "proof.pem"}
    words = [text for name, file in options.items() for text in (f"--{name}", str(pki / file))]
    code = main(["prove-open", str(camera.path(stem)), *words, "--key", str(pki / "proof.key"), "--out", str(out)])
    assert code == 0
    return (out / f"{stem}.evidence.proof.p7s").read_bytes()


def prove(camera: CameraBench, stem: str) -> None:
    """Prove one recording to its camera."""
    assert isinstance(camera.ask(ProofRequest(proof=proof_of(camera, stem))), Done)

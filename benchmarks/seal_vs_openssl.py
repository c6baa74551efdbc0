"""Sealing and signing 1 MB on the camera, beside openssl's own AES-256-GCM plus SHA-256 of the same bytes.

    python benchmarks/seal_vs_openssl.py [--rounds 200]

Ours is sealing and signing one fragment: salt, commitment (SHA-256 of the plaintext), key agreement, AES-256-GCM,
SHA-256 of the object, and the signed statement. Said beside it: what `commit` adds without a card, which is the running
SHA-256 of the file for its receipt. Openssl's is `openssl speed` for one block of the same size, in the same run.
Aim: less than 3 times.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import results

from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.keys import FileSigner, load_certificates
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, MediaFacts, ProfileRef, Source, Stamp, Utc, moment
from fleet.ca import create_agency

SIZE = 1_000_000


class NoDisk(AppendFile):
    """Takes the bytes and forgets them: the card is not what is measured here."""

    def append(self, parts):  # type: ignore[no-untyped-def]
        self.size += sum(len(part) for part in parts)
        return self.size


def ours_ms(rounds: int, directory: Path) -> tuple[float, float]:
    """CPU milliseconds for one fragment: (seal and sign, commit)."""
    create_agency(directory)
    signer = FileSigner.load(directory / "camera.key", directory / "camera.pem")
    recipient = Recipient.of(load_certificates(directory / "vault.pem")[0])

    def stamp() -> Stamp:
        now = time.time_ns()
        utc = Utc(earliest=moment(now - 10**6), latest=moment(now + 10**6), source="ntp")
        return Stamp(boot="00000000-0000-0000-0000-000000000000", mono_ns=time.monotonic_ns(), utc=utc)

    file = NoDisk(directory / "x", -1, 0)
    writer = EvidenceWriter(file, signer, [recipient], stamp, serial="SIM-0001", stream="recording", number=1)
    writer.open(
        camera=CameraFacts(model="bench", firmware="0", firmware_sha256="0" * 64),
        sources=(Source(role="camera", driver="bench", sensor="bench", kind="simulated"),),
        profile=ProfileRef(name="bench", version=0, sha256="0" * 64),
        upload_class="normal",
        retention_class="standard",
        hold=False,
    )
    writer.seal_mp4("init", [b"init"])
    data = os.urandom(SIZE)
    sealing = committing = 0
    for number in range(rounds):
        facts = MediaFacts(start_ns=number * 10**9, duration_ns=10**9, frames=30, first_frame=number * 30)
        began = time.process_time_ns()
        writer.seal_mp4("media", [data[:200], memoryview(data)[200:]], facts)
        sealed = time.process_time_ns()
        writer.commit()
        sealing += sealed - began
        committing += time.process_time_ns() - sealed
    return sealing / rounds / 1e6, committing / rounds / 1e6


def openssl_ms(algorithm: str) -> float:
    """CPU milliseconds that openssl takes for one block of SIZE bytes (by default it counts user time)."""
    command = ["openssl", "speed", "-seconds", "2", "-bytes", str(SIZE), "-evp", algorithm]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.findall(r"([0-9.]+)k\s*$", output, re.MULTILINE)[-1]
    return SIZE / (float(rate) * 1000) * 1000


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    run = results.Run("seal_vs_openssl", arguments)
    with tempfile.TemporaryDirectory() as directory:
        ours, commit = min(ours_ms(arguments.rounds, Path(directory) / str(turn)) for turn in range(3))
    gcm, sha = openssl_ms("aes-256-gcm"), openssl_ms("sha256")
    ratio = ours / (gcm + sha)
    print(f"sealing and signing 1 MB: {ours:.2f} ms; openssl AES-256-GCM {gcm:.2f} ms + SHA-256 {sha:.2f} ms")
    print(f"commit without a card (running SHA-256 of the file): {commit:.2f} ms")
    print(f"seal_vs_openssl {ratio:.2f} (aim: below 3)")
    run.keep(
        {
            "seal_vs_openssl": ratio,
            "seal_ms_per_mb": ours,
            "commit_ms_per_mb": commit,
            "openssl_aes_gcm_ms_per_mb": gcm,
            "openssl_sha256_ms_per_mb": sha,
        }
    )
    run.record()


if __name__ == "__main__":
    main()

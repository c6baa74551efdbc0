"""One camera of a simulated fleet: its certificates, and a spool of closed evidence that verifies.

It films nothing: its media objects are random bytes, sealed and signed as the recorder does. What a station does with
a file costs the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import SpoolFile
from evidence.keys import FileSigner
from evidence.sealed import Recipient
from evidence.statements import (
    CameraFacts,
    MediaFacts,
    ProfileRef,
    Source,
    Stamp,
    Stream,
    UploadClass,
    Utc,
    moment,
)
from fleet.ca import Authority, write_credential

SECOND_BYTES: Final = 500_000
"""One second of 4 Mbit/s."""


@dataclass
class FleetCamera:
    """A camera that docks with a full card."""

    serial: str
    directory: Path
    signer: FileSigner
    recipient: Recipient
    boot: str
    mono_ns: int = 10**9

    @classmethod
    def made(cls, authority: Authority, number: int, directory: Path, recipient: Recipient) -> FleetCamera:
        """A camera with certificates of its own. Raises OSError."""
        serial = f"FLEET-{number:04d}"
        home = directory / serial
        (home / "spool").mkdir(parents=True)
        write_credential(home, "camera", authority.signer("camera", f"Camera {serial}", serial=serial))
        write_credential(home, "tls", authority.tls_client(serial))
        signer = FileSigner.load(home / "camera.key", home / "camera.pem")
        return cls(serial, home, signer, recipient, f"00000000-0000-4000-8000-{number:012d}")

    @property
    def spool(self) -> Path:
        return self.directory / "spool"

    def shift(self, recordings: int, size_bytes: int) -> list[SpoolFile]:
        """Some recordings of about that size, the first one critical, and the log. Raises OSError."""
        files = [
            self._recording(number, size_bytes, "critical" if number == 1 else "normal")
            for number in range(1, recordings + 1)
        ]
        return [*files, self._log(files)]

    def _recording(self, number: int, size_bytes: int, upload_class: UploadClass) -> SpoolFile:
        writer = self._open(f"{self.serial}-{number:06d}.evidence", "recording", number, upload_class)
        writer.seal_mp4("init", [b"\0" * 64])
        for second in range(max(1, size_bytes // SECOND_BYTES)):
            facts = MediaFacts(start_ns=second * 10**9, duration_ns=10**9, frames=30, first_frame=30 * second)
            writer.seal_mp4("media", [os.urandom(min(size_bytes, SECOND_BYTES))], facts)
        return self._close(writer, "recording", number, upload_class)

    def _log(self, files: Sequence[SpoolFile]) -> SpoolFile:
        writer = self._open(f"{self.serial}-log-000001.evidence", "log", 1, "log")
        for file in files:
            writer.event("recording_opened", recording=file.number)
            writer.event("recording_closed", recording=file.number, word="button")
        return self._close(writer, "log", 1, "log")

    def _open(self, name: str, stream: Stream, number: int, upload_class: UploadClass) -> EvidenceWriter:
        writer = EvidenceWriter(
            AppendFile.create(self.spool / name),
            self.signer,
            [self.recipient],
            self._stamp,
            serial=self.serial,
            stream=stream,
            number=number,
        )
        writer.open(
            camera=CameraFacts(model="fleet", firmware="0", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver="fleet", sensor="none", kind="simulated"),),
            profile=ProfileRef(name="fleet", version=1, sha256="0" * 64),
            upload_class=upload_class,
            retention_class="standard",
            hold=False,
        )
        return writer

    def _close(self, writer: EvidenceWriter, stream: Stream, number: int, upload_class: UploadClass) -> SpoolFile:
        writer.close("button")
        writer.commit()
        writer.file.close()
        facts = writer.facts()
        return SpoolFile(
            name=facts.name,
            stream=stream,
            number=number,
            bytes=facts.bytes,
            close_hash=facts.close_hash,
            upload_class=upload_class,
            state="waiting",
        )

    def _stamp(self) -> Stamp:
        self.mono_ns += 10**6
        now = moment(time.time_ns())
        return Stamp(boot=self.boot, mono_ns=self.mono_ns, utc=Utc(earliest=now, latest=now, source="ntp"))

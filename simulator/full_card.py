"""A camera's card, filled without filming: closed evidence files that verify, of random bytes (R30, R38).

They are sealed and signed as the recorder does it, so what a station does with one costs and means the same.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import SpoolFile
from evidence.keys import FileSigner
from evidence.sealed import Recipient
from evidence.statements import (
    CameraFacts,
    FileFacts,
    MediaFacts,
    ProfileRef,
    Source,
    Stamp,
    Stream,
    UploadClass,
    Utc,
    moment,
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A file that is written now."""

    writer: EvidenceWriter
    stream: Stream
    number: int
    upload_class: UploadClass


@dataclass
class Card:
    """One camera's key and spool."""

    serial: str
    spool: Path
    signer: FileSigner
    recipient: Recipient
    boot: str
    model: str = "simulated"
    mono_ns: int = 10**9
    """Its monotonic clock, which goes on by a millisecond with each statement."""
    _closed: dict[str, FileFacts] = field(default_factory=dict)

    def fill(
        self, number: int, pieces_bytes: Sequence[int], upload_class: UploadClass = "normal", name: str | None = None
    ) -> SpoolFile:
        """A recording of one second for each piece, of so many random bytes. Raises OSError."""
        begun = self.begin(name or f"{self.serial}-{number:06d}.evidence", "recording", number, upload_class)
        begun.writer.seal_mp4("init", [b"\0" * 64])
        for second, size in enumerate(pieces_bytes):
            facts = MediaFacts(start_ns=second * 10**9, duration_ns=10**9, frames=30, first_frame=30 * second)
            begun.writer.seal_mp4("media", [os.urandom(size)], facts)
        return self.end(begun)

    def log(self, number: int, recordings: Sequence[SpoolFile] = ()) -> SpoolFile:
        """A log segment that names some recordings as opened and closed. Raises OSError."""
        begun = self.begin(f"{self.serial}-log-{number:06d}.evidence", "log", number, "log")
        for file in recordings:
            begun.writer.event("recording_opened", recording=file.number)
            begun.writer.event("recording_closed", recording=file.number, word="button", file=self._facts(file))
        begun.writer.event("state", word="docked")
        return self.end(begun)

    def begin(self, name: str, stream: Stream, number: int, upload_class: UploadClass) -> Begun:
        """Open a file of that name in the spool. Raises OSError."""
        writer = EvidenceWriter(
            AppendFile.create(self.spool / name),
            self.signer,
            [self.recipient],
            self.stamp,
            serial=self.serial,
            stream=stream,
            number=number,
        )
        writer.open(
            camera=CameraFacts(model=self.model, firmware="0", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver=self.model, sensor="none", kind="simulated"),),
            profile=ProfileRef(name=self.model, version=1, sha256="0" * 64),
            upload_class=upload_class,
            retention_class="standard",
            hold=False,
        )
        return Begun(writer, stream, number, upload_class)

    def end(self, begun: Begun) -> SpoolFile:
        """Close it; it waits for its upload. Raises OSError."""
        begun.writer.close("button")
        begun.writer.commit()
        begun.writer.file.close()
        facts = begun.writer.facts()
        self._closed[facts.name] = facts
        return SpoolFile(
            name=facts.name,
            stream=begun.stream,
            number=begun.number,
            bytes=facts.bytes,
            close_hash=facts.close_hash,
            upload_class=begun.upload_class,
            state="waiting",
        )

    def stamp(self) -> Stamp:
        """Now, by both clocks."""
        self.mono_ns += 10**6
        now = moment(time.time_ns())
        return Stamp(boot=self.boot, mono_ns=self.mono_ns, utc=Utc(earliest=now, latest=now, source="ntp"))

    def _facts(self, file: SpoolFile) -> FileFacts:
        known = self._closed.get(file.name)
        if known is not None and known.close_hash == file.close_hash:
            return known
        digest = hashlib.sha256((self.spool / file.name).read_bytes()).hexdigest()
        return FileFacts(name=file.name, bytes=file.bytes, sha256=digest, close_hash=file.close_hash)

"""A camera at work without a camera: log segments, small recordings, restarts, and a station that signs for them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recordings import SECOND, Agency, Ticks, agency_now

from evidence.cms import sign
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import Contact, Receipt
from evidence.recovery import recover
from evidence.statements import (
    NO_HASH,
    CameraFacts,
    FileFacts,
    LogHead,
    MediaFacts,
    ProfileRef,
    Source,
    encode_canonical,
    moment,
    moment_ns,
)
from evidence.verify import file_name, verify_file

STATION = "station-1"
STORE = "directory:station-1"


@dataclass
class Camera:
    """Its card is a directory; `store` is another one, with receipts beside the files."""

    agency: Agency
    card: Path
    serial: str = "SIM-0001"
    signer: str = "camera"
    clock: Ticks = field(init=False)
    log: EvidenceWriter | None = None
    segment: int = 0
    previous: str | None = None
    number: int = 0
    nonce: str | None = None
    witnessed: LogHead | None = None

    def __post_init__(self) -> None:
        self.card.mkdir(exist_ok=True)
        self.clock = Ticks(100 * SECOND, moment_ns(agency_now(self.agency)))
        self.boots = 0

    # --- writing ------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self.clock.mono_ns += int(seconds * SECOND)
        self.clock.utc_ns += int(seconds * SECOND)

    def _writer(self, stream: str, number: int) -> EvidenceWriter:
        file = AppendFile.create(self.card / file_name(self.serial, stream, number))
        who = (self.agency.signer(self.signer), [self.agency.recipient])
        return EvidenceWriter(file, *who, self.clock, serial=self.serial, stream=stream, number=number)  # type: ignore[arg-type]

    def _open(self, writer: EvidenceWriter, upload_class: str, **fields: Any) -> None:
        writer.open(
            camera=CameraFacts(model="Test camera", firmware="0.1.0", firmware_sha256=NO_HASH),
            sources=(Source(role="camera", driver="test", sensor="none", kind="simulated"),),
            profile=ProfileRef(name="test", version=1, sha256=NO_HASH),
            upload_class=upload_class,
            retention_class="standard",
            hold=False,
            station_nonce=self.nonce,
            **fields,
        )

    def event(self, event: str, **fields: Any) -> None:
        """One durable entry of the log; opens a segment if none is."""
        if self.log is None:
            self.segment += 1
            self.log = self._writer("log", self.segment)
            self._open(self.log, "log", previous=self.previous)
        self.log.event(event, **fields)
        self.log.commit()

    def close_log(self, reason: str = "docked") -> Path:
        assert self.log is not None
        self.log.close(reason)
        self.log.commit()
        path, self.previous = self.log.path, self.log.durable.head
        self.log.file.close()
        self.log = None
        return path

    def begin(self, *, number: int | None = None) -> EvidenceWriter:
        """Open a recording, and say so in the log."""
        self.number = number if number is not None else self.number + 1
        writer = self._writer("recording", self.number)
        self._open(writer, "normal", log_head=self.log.head if self.log is not None else None)
        writer.seal_mp4("init", [b"init"])
        writer.commit()
        self.event("recording_opened", recording=self.number)
        return writer

    def film(self, writer: EvidenceWriter, seconds: int) -> None:
        for _ in range(seconds):
            start = self.clock.mono_ns
            self.wait(1)
            facts = MediaFacts(start_ns=start, duration_ns=SECOND, frames=25, first_frame=0)
            writer.seal_mp4("media", [secrets.token_bytes(64)], facts)
            writer.commit()

    def end(self, writer: EvidenceWriter) -> Path:
        writer.close("record_button")
        writer.commit()
        facts = writer.facts()
        writer.file.close()
        self.event("recording_closed", recording=self.number, word="record_button", file=facts)
        return writer.path

    def record(self, seconds: int = 2, *, number: int | None = None) -> Path:
        """A whole recording."""
        self.wait(10)
        writer = self.begin(number=number)
        self.film(writer, seconds)
        return self.end(writer)

    def restart(self, *unfinished: Path, power: bool = True) -> None:
        """Power was cut, or the program killed: a new start recovers the log and the recordings, as the device does."""
        self.boots += 1
        if power:
            self.clock = dataclasses.replace(
                self.clock,
                boot=f"6b0e4f1c-1111-4222-8333-{self.boots:012x}",
                mono_ns=SECOND,
                utc_ns=self.clock.utc_ns + 60 * SECOND,
            )
        if self.log is not None:
            path, self.log = self.log.path, None
            self.previous = self._recover(path).close_hash
        self.event("boot")
        for path in unfinished:
            number = int(path.stem.rpartition("-")[2])
            self.event("recording_recovered", recording=number, file=self._recover(path))

    def _recover(self, path: Path) -> FileFacts:
        signer = self.agency.signer(self.signer)
        facts = recover(path, self.agency.trust, signer, [self.agency.recipient], self.clock).file
        assert facts is not None
        return facts

    # --- the station --------------------------------------------------------------------------------------------------

    def now(self) -> str:
        return moment(self.clock.utc_ns)

    def _signed(self, document: Receipt | Contact) -> bytes:
        at = dt.datetime.fromtimestamp(self.clock.utc_ns // SECOND, dt.UTC)
        return sign(encode_canonical(document), self.agency.signer("station-receipt"), at)

    def contact(self, directory: Path) -> Path:
        """The station greets the camera: a nonce and the witness that it holds."""
        self.nonce = secrets.token_hex(16)
        greeting = Contact(
            v=1,
            serial=self.serial,
            station=STATION,
            system_id="test",
            nonce=self.nonce,
            now=self.now(),
            uncertainty_ms=10,
            witness=self.witnessed,
        )
        path = directory / f"{self.serial}-{self.nonce}.contact.p7s"
        path.write_bytes(self._signed(greeting))
        return path

    def upload(self, store: Path, *paths: Path, delete: bool = False) -> None:
        """The station takes files in and signs for them; the camera may delete them, with a tombstone."""
        store.mkdir(exist_ok=True)
        for path in paths:
            report = verify_file(path, self.agency.trust)
            assert report.opened is not None
            assert report.valid
            if report.log_head is not None:
                self.witnessed = report.log_head
            receipt = Receipt(
                v=1,
                serial=self.serial,
                stream=report.opened.stream,
                number=report.opened.number,
                name=path.name,
                bytes=report.bytes,
                sha256=report.sha256,
                close_hash=report.close_hash or NO_HASH,
                nonce=report.opened.nonce,
                store=STORE,
                object_version=path.name,
                retention_class="standard",
                verdict="valid",
                station=STATION,
                system_id="test",
                issued=self.now(),
                witness=self.witnessed,
            )
            (store / path.name).write_bytes(path.read_bytes())
            (store / f"{path.name}.receipt.p7s").write_bytes(self._signed(receipt))
            if delete:
                facts = FileFacts(
                    name=path.name, bytes=report.bytes, sha256=report.sha256, close_hash=receipt.close_hash
                )
                number = receipt.number if receipt.stream == "recording" else None
                self.event("tombstone", recording=number, word=receipt.stream, file=facts)
                path.unlink()

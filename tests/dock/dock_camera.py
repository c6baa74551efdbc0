"""The camera's side on the bench: evidence files that verify, and a recorder made of a thread."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from dock_bench import SERIAL, sha256

from evidence import cms
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import (
    Answer,
    Done,
    Facts,
    Notice,
    Receipt,
    ReceiptTaken,
    Refused,
    Spool,
    SpoolFile,
    Status,
    decode_receipt,
)
from evidence.keys import FileSigner
from evidence.requests import (
    ContactRequest,
    EventsRequest,
    FactsRequest,
    ListRequest,
    Offloading,
    OffloadRequest,
    ReceiptRequest,
    StatusRequest,
    request_decoder,
)
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, FileFacts, MediaFacts, ProfileRef, Source, Stamp, UploadClass, Utc, moment
from evidence.trust import Trust


@dataclass
class Camera:
    """Writes evidence files with a camera's key into a spool."""

    pki: Path
    spool: Path
    serial: str = SERIAL
    mono_ns: int = 10**9

    def stamp(self) -> Stamp:
        self.mono_ns += 10**6
        now = moment(time.time_ns())
        return Stamp(
            boot="7e4a1c52-0000-4000-8000-000000000001",
            mono_ns=self.mono_ns,
            utc=Utc(earliest=now, latest=now, source="gnss"),
        )

    def record(
        self, number: int, *, size: int = 0, upload_class: UploadClass = "normal", name: str | None = None
    ) -> SpoolFile:
        """A recording of about `size` bytes that verifies."""
        writer = self._open(name or f"{self.serial}-{number:06d}.evidence", "recording", number, upload_class)
        writer.seal_mp4("init", [b"\0" * 64])
        for place in range(max(1, size // 100_000)):
            facts = MediaFacts(start_ns=place * 10**9, duration_ns=10**9, frames=30, first_frame=30 * place)
            writer.seal_mp4("media", [os.urandom(100_000 if size else 2000)], facts)
        return self._close(writer, upload_class)

    def log(self, number: int, recordings: Sequence[SpoolFile] = ()) -> SpoolFile:
        """A log segment that verifies, and that names some recordings as opened and closed."""
        writer = self._open(f"{self.serial}-log-{number:06d}.evidence", "log", number, "log")
        for file in recordings:
            data = (self.spool / file.name).read_bytes()
            facts = FileFacts(name=file.name, bytes=file.bytes, sha256=sha256(data), close_hash=file.close_hash)
            writer.event("recording_opened", recording=file.number)
            writer.event("recording_closed", recording=file.number, word="button", file=facts)
        writer.event("state", word="docked")
        return self._close(writer, "log")

    def _open(self, name: str, stream: Any, number: int, upload_class: UploadClass) -> EvidenceWriter:
        vault = x509.load_pem_x509_certificate((self.pki / "vault.pem").read_bytes())
        signer = FileSigner.load(self.pki / "camera.key", self.pki / "camera.pem")
        writer = EvidenceWriter(
            AppendFile.create(self.spool / name),
            signer,
            [Recipient.of(vault)],
            self.stamp,
            serial=self.serial,
            stream=stream,
            number=number,
        )
        writer.open(
            camera=CameraFacts(model="bench", firmware="0", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver="bench", sensor="none", kind="simulated"),),
            profile=ProfileRef(name="bench", version=1, sha256="0" * 64),
            upload_class=upload_class,
            retention_class="standard",
            hold=False,
        )
        return writer

    def _close(self, writer: EvidenceWriter, upload_class: UploadClass) -> SpoolFile:
        writer.close("button")
        writer.commit()
        writer.file.close()
        facts = writer.facts()
        stream = writer._identity["stream"]
        return SpoolFile(
            name=facts.name,
            stream=stream,
            number=writer._identity["number"],
            bytes=facts.bytes,
            close_hash=facts.close_hash,
            upload_class=upload_class,
            state="waiting",
        )


@dataclass
class FakeRecorder:
    """Speaks the recorder's half of evidence.handover on a Unix socket, and keeps what it was given."""

    path: Path
    spool: Path
    trust: Trust
    files: list[SpoolFile] = field(default_factory=list)
    docked: bool = True
    recording: str | None = None
    battery: int | None = None
    listed: int = 0
    """How often the list of files was asked for."""
    contacts: list[bytes] = field(default_factory=list)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    offloading: list[Offloading] = field(default_factory=list)
    """How far the agent said that it is."""
    queue: list[dict[str, Any]] = field(default_factory=list)
    """The supervisor's queue."""
    page: int = 2
    """Files in one answer to `ListRequest`: few, so that lists are asked for page by page."""
    garbage: bytes | None = None
    """If set, the next answer is this instead."""

    def __post_init__(self) -> None:
        recorder = self
        self._listeners: list[Any] = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    request = request_decoder.decode(line)
                    answer = recorder.answer(request)
                    data, recorder.garbage = recorder.garbage, None
                    self.wfile.write(data or msgspec.json.encode(answer) + b"\n")
                    if isinstance(request, EventsRequest):
                        recorder._listeners.append(self.wfile)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                """The other side was killed: that is what these tests do."""

        self._server = Server(str(self.path), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, request: Any) -> Answer:
        match request:
            case StatusRequest():
                state = "recording" if self.recording else "docked" if self.docked else "ready"
                return Status(
                    serial=SERIAL,
                    model="bench",
                    firmware="0",
                    state=state,
                    docked=self.docked,
                    degraded=False,
                    uptime_s=1,
                    recording=self.recording,
                    battery_percent=self.battery,
                )
            case ListRequest():
                self.listed += 1
                files = sorted(
                    (one for one in self.files if one.name > (request.after or "")), key=lambda one: one.name
                )
                page = tuple(files[: self.page])
                return Spool(directory=str(self.spool), files=page, more=len(files) > len(page))
            case FactsRequest():
                return Facts(about=request.about, facts={"items": self.queue, "dropped": 0})
            case ContactRequest():
                self.contacts.append(request.contact)
                return Done()
            case ReceiptRequest():
                return self.take(request)
            case OffloadRequest():
                self.offloading.append(request.offloading)
                return Done()
            case _:
                return Done()

    def take(self, request: ReceiptRequest) -> Answer:
        """As strict as the device: everything must fit, and only a valid verdict deletes."""
        message = cms.parse_signed(request.receipt)
        self.trust.check(message, role="receipt")
        receipt = decode_receipt(message.payload)
        file = next((file for file in self.files if file.name == request.name), None)
        if file is None or sha256((self.spool / file.name).read_bytes()) != receipt.sha256:
            return Refused(error="not a receipt of mine")
        self.receipts[request.name] = receipt
        self.order.append(request.name)
        if receipt.verdict == "valid":
            self.files = [one for one in self.files if one.name != request.name]
            return ReceiptTaken(deleted=True, keep_s=0)
        return ReceiptTaken(deleted=False, keep_s=0)

    def notify(self, event: str, **more: Any) -> None:
        """Tell all listeners."""
        line = msgspec.json.encode(Notice(event=event, mono_ns=time.monotonic_ns(), **more)) + b"\n"
        for listener in self._listeners:
            listener.write(line)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

"""The camera's side on the bench: evidence files that verify, and a recorder made of a thread."""

from __future__ import annotations

import socketserver
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from dock_bench import SERIAL, sha256

from evidence import cms
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
from evidence.statements import UploadClass
from evidence.trust import Trust
from simulator.full_card import Card


class Camera(Card):
    """Writes evidence files with the key of an agency's camera into a spool."""

    def __init__(self, pki: Path, spool: Path, serial: str = SERIAL) -> None:
        vault = x509.load_pem_x509_certificate((pki / "vault.pem").read_bytes())
        signer = FileSigner.load(pki / "camera.key", pki / "camera.pem")
        boot = "7e4a1c52-0000-4000-8000-000000000001"
        super().__init__(serial, spool, signer, Recipient.of(vault), boot, model="bench")

    def record(
        self, number: int, *, size: int = 0, upload_class: UploadClass = "normal", name: str | None = None
    ) -> SpoolFile:
        """A recording of about `size` bytes that verifies."""
        return self.fill(number, [100_000 if size else 2000] * max(1, size // 100_000), upload_class, name)


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
        valid = receipt.verdict == "valid"
        if valid:
            self.files = [one for one in self.files if one.name != request.name]
        self.order.append(request.name)
        self.receipts[request.name] = receipt  # at last: this is what tests wait for
        return ReceiptTaken(deleted=valid, keep_s=0)

    def notify(self, event: str, **more: Any) -> None:
        """Tell all listeners."""
        line = msgspec.json.encode(Notice(event=event, mono_ns=time.monotonic_ns(), **more)) + b"\n"
        for listener in self._listeners:
            listener.write(line)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

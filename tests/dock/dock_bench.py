"""A dock on the bench: real station and agent processes, a recorder made of a thread, evidence files that verify."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from evidence import cms
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.handover import (
    Answer,
    ContactRequest,
    Done,
    EventsRequest,
    ListRequest,
    Notice,
    Receipt,
    ReceiptRequest,
    ReceiptTaken,
    Refused,
    Spool,
    SpoolFile,
    Status,
    StatusRequest,
    decode_receipt,
    request_decoder,
)
from evidence.keys import FileSigner
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, MediaFacts, ProfileRef, Source, Stamp, UploadClass, Utc, moment
from evidence.trust import Trust

SERIAL = "SIM-0001"
SYSTEM = "test-pd"
TUS = {"Tus-Resumable": "1.0.0"}
PATCH_TYPE = {"Content-Type": "application/offset+octet-stream"}


def poll_until(what: Callable[[], Any], *, seconds: float = 20.0, why: str = "") -> Any:
    """The first true value of `what`; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {why or what}")
        time.sleep(0.01)
    return value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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

    def log(self, number: int) -> SpoolFile:
        """A log segment that verifies."""
        writer = self._open(f"{self.serial}-log-{number:06d}.evidence", "log", number, "log")
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
    contacts: list[bytes] = field(default_factory=list)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
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
                )
            case ListRequest():
                return Spool(directory=str(self.spool), files=tuple(self.files))
            case ContactRequest():
                self.contacts.append(request.contact)
                return Done()
            case ReceiptRequest():
                return self.take(request)
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


@dataclass
class Process:
    """A `firsthand-dock` process and the line that it printed when ready."""

    config: Path
    command: str
    started: subprocess.Popen[str] | None = None
    ready: str = ""

    def start(self) -> Process:
        self.started = subprocess.Popen(
            [sys.executable, "-m", "dock", self.command, "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=self.config.with_suffix(".log").open("a"),
            text=True,
        )
        assert self.started.stdout is not None
        self.ready = self.started.stdout.readline()
        assert "ready" in self.ready, self.log()
        return self

    @property
    def port(self) -> int:
        return int(self.ready.split(" (")[0].rpartition(":")[2])

    def log(self) -> str:
        return self.config.with_suffix(".log").read_text()

    def kill(self) -> None:
        """As a power cut would end it."""
        assert self.started is not None
        self.started.kill()
        self._wait()

    def stop(self) -> int:
        """As systemd would end it."""
        assert self.started is not None
        if self.started.poll() is None:
            self.started.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self.started is not None
        assert self.started.stdout is not None
        status = self.started.wait(15)
        self.started.stdout.close()
        return status


def write_station(
    directory: Path, pki: Path, *, port: int = 0, limits: str = "", name: str = "station", system: str = SYSTEM
) -> Path:
    """A station.toml beside which everything lies."""
    path = directory / f"{name}.toml"
    path.write_text(
        f'''system_id = "{system}"
station = "station-1"
listen_host = "127.0.0.1"
listen_port = {port}
directory = "{name}"
root = "{pki}/root.pem"
tls = {{certificate = "{pki}/station-tls.pem", key = "{pki}/station-tls.key", ca = "{pki}/tls-ca.pem"}}
receipts = {{certificate = "{pki}/station-receipt.pem", key = "{pki}/station-receipt.key"}}
[limits]
reserve_bytes = 1000000
{limits}
'''
    )
    return path


def write_agent(
    directory: Path, pki: Path, *, port: int, offload: str = "", telemetry: str = "", system: str = SYSTEM
) -> Path:
    """An agent.toml that is quick to try again."""
    path = directory / "agent.toml"
    path.write_text(
        f'''recorder_socket = "recorder.sock"
state_directory = "agent-state"
root = "{pki}/root.pem"
station = {{url = "https://127.0.0.1:{port}", system_id = "{system}"}}
tls = {{certificate = "{pki}/camera-tls.pem", key = "{pki}/camera-tls.key", ca = "{pki}/tls-ca.pem"}}
[offload]
poll_s = 0.1
timeout_s = 5.0
backoff_first_s = 0.1
backoff_max_s = 0.4
{offload}
{telemetry}
'''
    )
    return path


class Client:
    """A plain HTTPS client with the certificate of one's choice, to try the station with."""

    def __init__(self, port: int, pki: Path, stem: str | None = "camera-tls", ca: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(ca or pki / "tls-ca.pem"))
        if stem is not None:
            context.load_cert_chain(pki / f"{stem}.pem", pki / f"{stem}.key")
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)

    def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()

    def create(self, name: str, length: int, **more: str) -> tuple[int, dict[str, str], bytes]:
        told = {"filename": name, **more}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
        return self("POST", "/files", {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata})

    def patch(
        self, path: str, offset: int, body: bytes, checksum: bytes | None = None, **more: str
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {**TUS, **PATCH_TYPE, "Upload-Offset": str(offset), **more}
        if checksum is not None:
            headers["Upload-Checksum"] = f"sha256 {base64.b64encode(checksum).decode()}"
        return self("PATCH", path, headers, body)

    def offset(self, path: str) -> int:
        return int(self("HEAD", path, TUS)[1]["upload-offset"])

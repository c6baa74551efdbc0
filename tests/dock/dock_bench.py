"""A dock on the bench: real station and agent processes, their configuration, and a plain HTTPS client."""

from __future__ import annotations

import base64
import hashlib
import http.client
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERIAL = "SIM-0001"
SYSTEM = "test-pd"
TUS = {"Tus-Resumable": "1.0.0"}
PATCH_TYPE = {"Content-Type": "application/offset+octet-stream"}


def poll_until(what: Callable[[], Any], *, seconds: float = 60.0, why: str = "") -> Any:
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
        while not self.ready.startswith(f"firsthand-dock {self.command} ready"):  # a page may be ready before it
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
        status = self.started.wait(60)
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
    directory: Path,
    pki: Path,
    *,
    port: int,
    offload: str = "",
    telemetry: str = "",
    system: str = SYSTEM,
    timeout_s: float = 20.0,
) -> Path:
    """An agent.toml that is quick to try again, and patient with a station on a machine that has much to do."""
    path = directory / "agent.toml"
    path.write_text(
        f'''recorder_socket = "recorder.sock"
state_directory = "agent-state"
root = "{pki}/root.pem"
station = {{url = "https://127.0.0.1:{port}", system_id = "{system}"}}
tls = {{certificate = "{pki}/camera-tls.pem", key = "{pki}/camera-tls.key", ca = "{pki}/tls-ca.pem"}}
[offload]
poll_s = 0.1
timeout_s = {timeout_s}
backoff_first_s = 0.1
backoff_max_s = 0.4
full_wait_s = 0.5
ask_again_s = 0.5
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
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)

    def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()

    def close(self) -> None:
        """A station that stops waits for connections that are open."""
        self._connection.close()

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

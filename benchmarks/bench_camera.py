"""A camera under measurement: the real `firsthand-device run` as a process, filming a replayed stream.

The replay driver is offered to it as an entry point of its own (`camera.replay`), beside the project's. Lines and
buttons are the simulator's pins; everything else, clock and card too, is real. Video only:
what the peers write.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import replay

from evidence.handover import Notice, Status, answer_decoder
from evidence.requests import EventsRequest, StatusRequest
from fleet.__main__ import main as fleet
from fleet.ca import create_agency
from simulator.settings_text import toml_text

HERE = Path(__file__).resolve().parent
LIGHTBAR, RECORD = 27, 17
POLICY = {
    "name": "benchmark",
    "version": 1,
    "pre_event_s": 30,
    "hold_to_stop_ms": 500,
    "confirm_stop_s": 0,
    "stop_reason_s": 0,
    "min_free_mib": 1,
}


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class BenchCamera:
    """One camera with its spool on `card` (or beside its settings).

    `camera` are further options of the replayed camera; `under` is a command that starts another (``nice -n -5``).
    """

    def __init__(
        self,
        card: Path | None = None,
        policy: dict[str, Any] | None = None,
        camera: dict[str, Any] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="bench-camera-")
        self.directory = Path(self._directory.name)
        self.spool = (card or self.directory) / "spool"
        self.notices: list[Notice] = []
        self._news = threading.Condition()
        self.process: subprocess.Popen[bytes] | None = None
        self.ready_s = 0.0
        self._stream = {"path": str(replay.encode(replay.BUILD / "1080p30.h264")), **(camera or {})}
        self._under = under
        self._settings({**POLICY, **(policy or {})})

    def _settings(self, policy: dict[str, Any]) -> None:
        directory, pki = self.directory, self.directory / "pki"
        create_agency(pki)
        (directory / "policy.toml").write_text(toml_text(policy, "benchmark"))
        signing = ["--key", str(pki / "profile.key"), "--cert", str(pki / "profile.pem")]
        with contextlib.redirect_stdout(None):
            fleet(["sign-profile", str(directory / "policy.toml"), *signing, "--out", str(directory / "profile.p7s")])
        point = directory / "firsthand_bench-0.dist-info"
        point.mkdir()
        (point / "METADATA").write_text("Metadata-Version: 2.1\nName: firsthand-bench\nVersion: 0\n")
        (point / "entry_points.txt").write_text("[firsthand.hal]\ncamera.replay = replay:ReplayCamera\n")
        wired = {"hardware_socket": str(directory / "hw.sock")}
        lines = {"lightbar": {"pin": LIGHTBAR}, "record_button": {"pin": RECORD}}
        values = {
            "serial": "SIM-0001",
            "model": "benchmark",
            "spool": str(self.spool),
            "state": "state",
            "socket": "dev.sock",
            "profile": "profile.p7s",
            "keys": {
                "root": "pki/root.pem",
                "evidence_key": "pki/camera.key",
                "evidence_chain": "pki/camera.pem",
                "vault": ["pki/vault.pem"],
            },
            "camera": {"driver": "replay", "options": self._stream},
            "pins": {"driver": "simulated", "options": wired},
            "switches": {"driver": "gpiozero", "options": {"lines": lines}},
            "indicators": {"driver": "gpiozero", "options": {"channels": {"green": 5, "red": 6}}},
            "inputs": {
                "lightbar": {"kind": "trigger", "debounce_ms": 0},
                "record_button": {"kind": "record_button"},
            },
        }
        (directory / "device.toml").write_text(toml_text(values, "benchmark"))

    def __enter__(self) -> BenchCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._directory.cleanup()

    # --- the process ------------------------------------------------------------------------------------------------

    def start(self) -> BenchCamera:
        """Start it, wait for READY=1, and note how long that took."""
        path = os.pathsep.join([str(HERE.parent), str(HERE), str(self.directory)])
        command = [sys.executable, "-m", "device", "run", "--config", str(self.directory / "device.toml")]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, (self.directory / "log").open("ab") as log:
            address = str(self.directory / "notify")
            notified.bind(address)
            notified.settimeout(60)
            began = time.monotonic()
            self.process = subprocess.Popen(
                [*self._under, *command, "--allow-simulated", "--log-level", "warning"],
                env={**os.environ, "PYTHONPATH": path, "NOTIFY_SOCKET": address},
                stderr=log,
            )
            while b"READY=1" not in notified.recv(4096):
                pass
            self.ready_s = time.monotonic() - began
        Path(address).unlink()
        threading.Thread(target=self._follow, daemon=True).start()
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def cpu_s(self) -> float:
        """User and system time of the process so far (its CPU clock, see clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory_mib(self, name: str = "VmRSS") -> float:
        """A line of /proc/PID/status: VmRSS, VmHWM (the highest), RssAnon…"""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise KeyError(name)

    # --- talk ---------------------------------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.directory / "dev.sock"))
        return connection

    def _follow(self) -> None:
        with contextlib.suppress(OSError), self._connect() as connection:
            connection.sendall(msgspec.json.encode(EventsRequest()) + b"\n")
            lines = connection.makefile("rb")
            lines.readline()
            for line in lines:
                notice = answer_decoder.decode(line)
                if isinstance(notice, Notice):
                    with self._news:
                        self.notices.append(notice)
                        self._news.notify_all()

    def status(self) -> Status:
        with self._connect() as connection:
            connection.sendall(msgspec.json.encode(StatusRequest()) + b"\n")
            answer = answer_decoder.decode(connection.makefile("rb").readline())
        assert isinstance(answer, Status)
        return answer

    def until_ring_is_full(self, seconds: float = 30) -> None:
        pause = threading.Event()
        while (self.status().buffered_s or 0) < seconds:
            pause.wait(0.2)
        pause.wait(3)  # what the start shook is out of it

    def line(self, pin: int, *, active: bool) -> int:
        """Drive a line; CLOCK_BOOTTIME just before."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self.directory / "hw.sock"))
            operation = json.dumps({"op": "pin", "pin": pin, "level": 0 if active else 1}).encode() + b"\n"
            at_ns = boottime_ns()
            connection.sendall(operation)
            connection.makefile("rb").readline()
        return at_ns

    def wait(self, event: str, since: int, count: int = 1, timeout_s: float = 60) -> list[Notice]:
        """The notices of that kind after index `since`, once there are so many."""

        def found() -> list[Notice]:
            return [one for one in self.notices[since:] if one.event == event]

        with self._news:
            if not self._news.wait_for(lambda: len(found()) >= count, timeout_s):
                raise TimeoutError(f"no {event}: {(self.directory / 'log').read_text()[-2000:]}")
        return found()

    def record(self) -> tuple[int, int, Notice]:
        """The light bar goes on: (CLOCK_BOOTTIME of the edge, index of the next notice, `recording_opened`)."""
        since = len(self.notices)
        at_ns = self.line(LIGHTBAR, active=True)
        opened = self.wait("recording_opened", since)[0]
        self.line(LIGHTBAR, active=False)
        return at_ns, since, opened

    def end(self, timeout_s: float = 60) -> None:
        """Hold the record button until the recording is closed."""
        since = len(self.notices)
        self.line(RECORD, active=True)
        threading.Event().wait(0.7)
        self.line(RECORD, active=False)
        self.wait("recording_closed", since, timeout_s=timeout_s)

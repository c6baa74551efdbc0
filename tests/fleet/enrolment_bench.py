"""A real enrolment server process, and the camera's command line against it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from agency_on_disk import Agency

from fleet.__main__ import main


@dataclass
class EnrolServer:
    """`firsthand-fleet enrol-server` on a free port."""

    agency: Agency
    log: Path
    process: subprocess.Popen[str] = field(init=False)
    url: str = ""

    def start(self) -> EnrolServer:
        command = [sys.executable, "-m", "fleet", "enrol-server", "--ca", str(self.agency.ca), "--host", "localhost"]
        command += ["--listen", "127.0.0.1:0", "--passphrase-file", str(self.agency.passphrases / "operating")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log.open("a"), text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready: https://localhost:" in line, self.log.read_text()
        self.url = line.split("ready: ")[1].split()[0]
        return self

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(15)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def token(self, serial: str, directory: Path, *more: str) -> Path:
        """A new token in a file."""
        command = [sys.executable, "-m", "fleet", "enrol-token", serial, "--ca", str(self.agency.ca), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        path = directory / f"{serial}.token"
        path.touch(mode=0o600)
        path.write_text(done.stdout)
        return path

    def enrol(self, serial: str, token: Path, out: Path, *more: str) -> int:
        words = ["enrol", "--server", self.url, "--ca-fingerprint", self.agency.fingerprint, "--serial", serial]
        return main([*words, "--token-file", str(token), "--out", str(out), *more])


def renew(out: Path, *more: str) -> int:
    """The camera's timer."""
    return main(["renew", "--config", str(out / "enrolment.toml"), *more])

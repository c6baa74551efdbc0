"""An agency's office for the lab: its authority on disk, its enrolment server and its docking station, all real."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from evidence.trust import Trust
from fleet.__main__ import main

HOST = "10.0.2.2"
"""This computer, as qemu's network shows it to the guest."""
SYSTEM = "lab-police"
PASSPHRASES = {"operating": "four operating words drawn", "root": "five words for the root only"}
POLICY = 'name = "Lab"\nversion = 1\npre_event_s = 4\nconfirm_stop_s = 0\nstop_reason_s = 0\n'


def fleet(*words: str | Path) -> None:
    assert main([str(word) for word in words]) == 0, words


@dataclass(frozen=True)
class Office:
    """Everything that an agency has before its first camera."""

    directory: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca"

    @property
    def papers(self) -> Path:
        """What goes onto every card."""
        return self.directory / "papers"

    @property
    def words(self) -> list[str]:
        """The passphrase of the daily keys."""
        return ["--passphrase-file", str(self.directory / "operating")]

    def trust(self) -> Trust:
        return Trust.load(self.ca / "root.pem")

    def credential(self, role: str) -> list[str]:
        return ["--key", str(self.directory / f"{role}.key"), "--cert", str(self.directory / f"{role}.pem")]


def open_office(directory: Path) -> Office:
    """By the commands of docs/keys and docs/flash.md."""
    directory.mkdir()
    for name, text in PASSPHRASES.items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(text + "\n")
    office = Office(directory)
    root = ["--root-passphrase-file", directory / "root"]
    fleet("ca", "init", office.ca, "--organization", "Lab Police Department", *office.words, *root)
    fleet("vault", "new", "Evidence vault", "Clerk", "--ca", office.ca, "--out", directory / "vaults", *office.words)
    for role in ("profile", "release", "receipt"):
        issued = ["ca", "issue", role, "--ca", office.ca, "--serial", f"{role.upper()}-1"]
        fleet(*issued, "--out", directory / role, *office.words)
    server = ["ca", "issue", "tls-server", "--ca", office.ca, "--host", "localhost", "--address", HOST]
    fleet(*server, "--out", directory / "station-tls", *office.words)
    office.papers.mkdir()
    shutil.copy(office.ca / "root.pem", office.papers)
    for place, name in enumerate(("evidence-vault", "clerk"), start=1):
        shutil.copy(directory / "vaults" / f"{name}.pem", office.papers / f"vault-{place}.pem")
    (directory / "policy.toml").write_text(POLICY)
    fleet("sign-profile", directory / "policy.toml", *office.credential("profile"),
          "--out", office.papers / "profile.p7s")  # fmt: skip
    return office


@dataclass
class Program:
    """A server of the office, and the port that it printed when it was ready."""

    command: list[str]
    log: Path
    process: subprocess.Popen[str] | None = None
    port: int = 0

    def __enter__(self) -> Program:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log.open("a"), text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready" in line, self.log.read_text()
        self.port = int(line.split(" (")[0].rstrip("/\n").rpartition(":")[2].split()[0])
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.process.stdout.close()


def enrolment(office: Office) -> Program:
    """`firsthand-fleet enrol-server`, under the name that the guest calls it by."""
    command = [sys.executable, "-m", "fleet", "enrol-server", "--ca", str(office.ca), "--host", HOST]
    return Program([*command, "--listen", "127.0.0.1:0", *office.words], office.directory / "enrolment.log")


def station(office: Office) -> Program:
    """`firsthand-dock station` with a store beside it."""
    here = office.directory
    config = here / "station.toml"
    config.write_text(
        f'''system_id = "{SYSTEM}"
station = "station-1"
listen_host = "127.0.0.1"
listen_port = 0
directory = "{here}/station"
root = "{office.ca}/root.pem"
tls = {{certificate = "{here}/station-tls.pem", key = "{here}/station-tls.key", ca = "{office.ca}/tls-ca.pem"}}
receipts = {{certificate = "{here}/receipt.pem", key = "{here}/receipt.key"}}
[limits]
reserve_bytes = 1000000
'''
    )
    command = [sys.executable, "-m", "dock", "station", "--config", str(config)]
    return Program(command, here / "station.log")

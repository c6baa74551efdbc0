"""A real enrolment server process, and the camera's command line against it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from agency_on_disk import Agency
from cryptography.hazmat.primitives.asymmetric import ec

from fleet import enrol_camera, enrolment
from fleet.__main__ import main
from fleet.authority_store import now
from fleet.csr import load_request, make_request
from fleet.issuing import pem, vault_leaf
from fleet.tokens import make_token

SERIAL = "SIM-0001"


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
        status = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def token(self, serial: str, directory: Path, *more: str) -> Path:
        """A new token in a file."""
        command = [sys.executable, "-m", "fleet", "enrol-token", serial, "--ca", str(self.agency.ca), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
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


def enrolled(agency: Agency, out: Path) -> Path:
    """What `enrol` leaves on a camera, without the network between."""
    keys = agency.keys()
    out.mkdir()
    for purpose in enrolment.PURPOSES:
        stem = enrol_camera.STEMS[purpose]
        key = enrol_camera.FileKey.kept(out / f"{stem}.key", "P-256")
        request = load_request(make_request(SERIAL, key.public_key, key.sign_digest))
        token = make_token(keys.store.register, SERIAL, "file", 60, int(now().timestamp()))
        leaf = enrolment.enrol(keys, SERIAL, token, purpose, request)
        (out / f"{stem}.pem").write_bytes(pem(leaf, keys.issuer(purpose).certificate))
    (out / "root.pem").write_bytes(agency.root.read_bytes())
    (out / "enrolment.toml").write_text(f'server = "https://localhost:1"\nserial = "{SERIAL}"\n')
    vault = keys.issue(vault_leaf("Vault", "PD"), ec.generate_private_key(ec.SECP256R1()).public_key())
    (out / "vault.pem").write_bytes(pem(vault[0]))
    return out

"""What `firsthand-fleet flash` leaves on partition 1 of a card, and the enrolment server that the camera then asks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleet.authority_store import AuthorityStore, fingerprint
from fleet.camera_identity import CameraIdentity, Enrol, Station, identity_text

WORDS = {"FIRSTHAND_CA_PASSPHRASE_FILE": "four operating words drawn", "FIRSTHAND_ROOT_PASSPHRASE_FILE": "words for it"}


@dataclass
class Authority:
    """A simulated agency's authority with vaults and a signed policy, made by the command line as a person would."""

    directory: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.environment = dict(os.environ)
        for name, words in WORDS.items():
            path = self.directory / name
            path.touch(mode=0o600)
            path.write_text(f"{words} and more\n")
            self.environment[name] = str(path)
        self.fleet("ca", "init", str(self.ca), "--organization", "Hartford PD", "--simulated")
        self.fleet("vault", "new", "Vault", "Clerk", "--ca", str(self.ca), "--out", str(self.directory / "vaults"))
        self.fleet("ca", "issue", "profile", "--ca", str(self.ca), "--serial", "P-1", "--out", str(self._at("profile")))

    @property
    def ca(self) -> Path:
        return self.directory / "ca"

    def _at(self, name: str) -> Path:
        return self.directory / name

    def fleet(self, *words: str) -> str:
        command = [sys.executable, "-m", "fleet", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=300)
        assert done.returncode == 0, f"firsthand-fleet {' '.join(words)}: {done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def serving(self, enter: tuple[str, ...] = ()) -> Iterator[str]:
        """The enrolment server; its address. `enter` is what puts it into a network."""
        command = [*enter, sys.executable, "-m", "fleet", "enrol-server", "--ca", str(self.ca), "--host", "localhost"]
        with self._at("server.log").open("w") as log:
            command += ["--listen", "127.0.0.1:0"]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment)
        with server:
            assert server.stdout is not None
            try:
                line = server.stdout.readline()
                assert "ready: https://" in line, self._at("server.log").read_text()
                yield line.split("ready: ")[1].split()[0]
            finally:
                server.terminate()
                server.wait(120)

    def flash(self, select: Path, *, server: str, serial: str, board: str, policy: str) -> str:
        """Write identity.toml and agency/; the token in it."""
        token = self.fleet("enrol-token", serial, "--ca", str(self.ca)).strip()
        enrol = Enrol(server=server, ca_sha256=fingerprint(AuthorityStore(self.ca).current.root), token=token)
        station = Station(url="https://localhost:9", system_id="nobody-there")
        identity = CameraIdentity(v=1, serial=serial, board=board, enrol=enrol, station=station)
        agency = select / "agency"
        agency.mkdir(parents=True)
        (select / "identity.toml").write_text(identity_text(identity))
        shutil.copy(self.ca / "root.pem", agency / "root.pem")
        for place, name in enumerate(("vault", "clerk"), start=1):
            shutil.copy(self._at("vaults") / f"{name}.pem", agency / f"vault-{place}.pem")
        self._at("policy.toml").write_text(policy)
        keys = ["--key", str(self._at("profile.key")), "--cert", str(self._at("profile.pem"))]
        self.fleet("sign-profile", str(self._at("policy.toml")), *keys, "--out", str(agency / "profile.p7s"))
        return token

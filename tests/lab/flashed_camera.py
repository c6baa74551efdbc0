"""A technician's way from an image to a card of a known camera, by the commands of docs/flash.md and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from package import camera_package

SERIAL = "CAM-0042"
HOST = "10.0.2.2"
"""This machine, as qemu's network shows it to the camera."""
MIB = 2**20


def fleet(*words: str | Path, passphrases: Path | None = None) -> str:
    """One verb of `firsthand-fleet`, as its own process; what it prints."""
    command = [sys.executable, "-m", "fleet", *(str(word) for word in words)]
    if passphrases is not None:
        command += ["--passphrase-file", str(passphrases / "operating")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout


class Office:
    """An agency: its authority, its enrolment server, and the papers that each card gets."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.ca, self.papers = directory, directory / "ca", directory / "papers"
        self.keys = directory / "passphrases"
        self.keys.mkdir(parents=True)
        for name, text in (("operating", "four operating words drawn"), ("root", "five words for the root only")):
            (self.keys / name).touch(mode=0o600)
            (self.keys / name).write_text(text + "\n")
        fleet("ca", "init", self.ca, "--organization", "Hartford PD", "--root-passphrase-file", self.keys / "root",
              passphrases=self.keys)  # fmt: skip
        vaults = directory / "vaults"
        fleet("vault", "new", "Evidence vault", "Clerk", "--ca", self.ca, "--out", vaults, passphrases=self.keys)
        for role, serial in (("profile", "POLICY-1"), ("release", "RELEASE-1")):
            fleet("ca", "issue", role, "--ca", self.ca, "--serial", serial, "--out", directory / role,
                  passphrases=self.keys)  # fmt: skip
        self.papers.mkdir()
        shutil.copy(self.ca / "root.pem", self.papers)
        for number, name in enumerate(("evidence-vault", "clerk"), start=1):
            shutil.copy(vaults / f"{name}.pem", self.papers / f"vault-{number}.pem")
        (directory / "policy.toml").write_text('name = "Trial"\nversion = 1\n')
        fleet(
            "sign-profile", directory / "policy.toml", *self._signed_by("profile"), "--out", self.papers / "profile.p7s"
        )
        self._server: subprocess.Popen[str] | None = None
        self.url = f"https://{HOST}:1"

    def __enter__(self) -> Self:
        """The enrolment server runs."""
        command = [sys.executable, "-m", "fleet", "enrol-server", "--ca", str(self.ca), "--host", HOST, "--listen",
                   "127.0.0.1:0", "--passphrase-file", str(self.keys / "operating")]  # fmt: skip
        log = (self.directory / "enrol-server.log").open("w")
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert "ready: https://" in line, (self.directory / "enrol-server.log").read_text()
        self.url = f"https://{HOST}:{line.split('ready: ')[1].split()[0].rpartition(':')[2]}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._server is not None
        self._server.terminate()
        self._server.wait(15)

    def flashed(self, image: Path, board: str, version: str, card: Path, size_mib: int) -> Path:
        """A card of this size with the image and the identity of `SERIAL`; it was used before."""
        fleet("sign-image", image, "--board", board, "--version", version, *self._signed_by("release"))
        with card.open("wb") as file:
            file.truncate(size_mib * MIB)
            file.write(b"\xa5" * 8 * MIB)
        fleet("flash", image, card, "--allow-file", "--board", board, "--yes", "--serial", SERIAL, "--agency",
              self.papers, "--ca", self.ca, "--enrol-server", self.url, "--station", f"https://{HOST}:8443",
              "--system-id", "hartford-dock-1", "--assets", self.directory / "assets.jsonl", "--technician",
              "T. Example")  # fmt: skip
        return card

    def release(self) -> list[str | Path]:
        """For `image build`: our code is a release of this agency."""
        return ["--release-key", self.directory / "release.key", "--release-cert", self.directory / "release.pem"]

    def _signed_by(self, role: str) -> list[str | Path]:
        return ["--key", self.directory / f"{role}.key", "--cert", self.directory / f"{role}.pem"]


def image_of_this_checkout(out: Path, board: str, *options: str | Path) -> Path:
    """What `make image` makes: the image of a board with our package in it."""
    fleet("image", "build", "--board", board, "--deb", camera_package(), "--raw", "--out", out, *options)
    (image,) = out.glob(f"firsthand-{board}-*.img")
    return image

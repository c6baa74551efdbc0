"""An agency's authority on disk, made once and copied for each test; and the command line with its passphrases."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.__main__ import main
from fleet.authority_store import AuthorityStore, Keys, fingerprint

OPERATING = "four operating words drawn"
ROOT = "five words for the root only"


@dataclass(frozen=True)
class Agency:
    """One authority and the files with its passphrases."""

    ca: Path
    passphrases: Path

    @property
    def root(self) -> Path:
        return self.ca / "root.pem"

    @property
    def crl(self) -> Path:
        return self.ca / "lists" / "revoked.crl"

    def store(self) -> AuthorityStore:
        return AuthorityStore(self.ca)

    def keys(self) -> Keys:
        return self.store().unlock(OPERATING.encode())

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.store().current.root)

    def copy(self, to: Path) -> Agency:
        shutil.copytree(self.ca, to)
        return Agency(to, self.passphrases)


@pytest.fixture(scope="session")
def passphrases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("passphrases")
    for name, words in (("operating", OPERATING), ("root", ROOT)):
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(words + "\n")
    return directory


@pytest.fixture(autouse=True)
def _at_hand(passphrases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTHAND_CA_PASSPHRASE_FILE", str(passphrases / "operating"))
    monkeypatch.setenv("FIRSTHAND_ROOT_PASSPHRASE_FILE", str(passphrases / "root"))


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory, passphrases: Path) -> Agency:
    directory = tmp_path_factory.mktemp("made") / "ca"
    files = ["--passphrase-file", str(passphrases / "operating")]
    files += ["--root-passphrase-file", str(passphrases / "root")]
    assert main(["ca", "init", str(directory), "--organization", "Hartford PD", "--simulated", *files]) == 0
    return Agency(directory, passphrases)


@pytest.fixture
def agency(_made: Agency, tmp_path: Path) -> Agency:
    """An authority of this test's own."""
    return _made.copy(tmp_path / "ca")


@pytest.fixture
def openssl(tool: Callable[[str], str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """openssl as the judge; its answer is not checked."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [tool("openssl"), *(str(word) for word in words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run

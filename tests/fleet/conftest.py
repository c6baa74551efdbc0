"""An agency's authority on disk, made once and copied for each test; and the command line with its passphrases."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agency_on_disk import OPERATING, ROOT, Agency

from fleet import encrypted_key
from fleet.__main__ import main


@pytest.fixture(scope="session", autouse=True)
def _quick_passphrases() -> Iterator[None]:
    """Keys that tests make are stretched once, not five times: a file says itself how often. See test_authority."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encrypted_key, "_P", 1)
        yield


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

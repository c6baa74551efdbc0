"""A lost vault key is lost evidence: two vaults, tried backups, the escrow check, and a rotation that loses nothing."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from agency_on_disk import Agency

from device.config import load_settings
from evidence.errors import CannotDecrypt
from evidence.keys import load_certificates, load_private_key
from evidence.sealed import Recipient, open_sealed, seal
from fleet.__main__ import main

Openssl = Callable[..., subprocess.CompletedProcess[str]]
Out = pytest.CaptureFixture[str]
DEVICE = """# a camera
serial = "CAM-1"
model = "bench"
profile = "profile.p7s"
camera = {driver = "simulated-scene"}
switches = {driver = "gpiozero"}
indicators = {driver = "gpiozero"}
inputs = {record = {kind = "record_button"}}
spool = "spool"
state = "state"
socket = "run.sock"

[keys]
root = "root.pem"
evidence_key = "camera.key"
evidence_chain = "camera.pem"
vault = [
    "v/evidence-vault.pem",  # the unit's own
    "v/county-clerk.pem",
]
"""


@pytest.fixture
def vaults(agency: Agency, tmp_path: Path) -> Path:
    """Two vaults and a device.toml that seals to both."""
    out = tmp_path / "v"
    assert main(["vault", "new", "Evidence vault", "County clerk", "--ca", str(agency.ca), "--out", str(out)]) == 0
    (tmp_path / "device.toml").write_text(DEVICE)
    return out


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "vault-words"
    path.touch(mode=0o600)
    path.write_text("five words for the vault copies\n")
    monkeypatch.setenv("FIRSTHAND_VAULT_PASSPHRASE_FILE", str(path))
    return path


def back_up(vaults: Path, name: str, *copies: Path) -> int:
    to = [text for copy in copies for text in ("--to", str(copy))]
    return main(["vault", "backup", str(vaults / f"{name}.key"), "--cert", str(vaults / f"{name}.pem"), *to])


def check(config: Path, *keys: Path, more: tuple[str, ...] = ()) -> int:
    given = [text for key in keys for text in ("--key", str(key))]
    return main(["vault", "escrow-check", "--config", str(config), *given, *more])


def recorded(config: Path) -> bytes:
    """An object as the camera of that device.toml would seal it."""
    certificates = [load_certificates(Path(name))[0] for name in load_settings(config).keys.vault]
    return bytes(seal([b"evidence"], [Recipient.of(one) for one in certificates]))


def opened(data: bytes, vaults: Path, name: str) -> bytes:
    recipient = Recipient.of(load_certificates(vaults / f"{name}.pem")[0])
    return open_sealed(data, recipient, load_private_key(vaults / f"{name}.key"))


@pytest.fixture
def in_service(agency: Agency, tmp_path: Path) -> Agency:
    """The same authority as if it were no trial."""
    settings = agency.ca / "ca.toml"
    settings.write_text(settings.read_text().replace("simulated = true", "simulated = false"))
    return agency


@pytest.mark.requirement("R34")
def test_in_service_one_vault_is_refused_unless_the_loss_is_accepted(
    in_service: Agency, tmp_path: Path, capsys: Out
) -> None:
    new = ["vault", "new", "Only one", "--ca", str(in_service.ca), "--out", str(tmp_path / "v")]
    assert main(new) == 1
    assert "would be all evidence lost" in capsys.readouterr().err
    assert main(["enrol-token", "CAM-1", "--ca", str(in_service.ca)]) == 1
    assert not (tmp_path / "v").exists()
    assert main([*new, "--single-recipient-i-accept-the-loss"]) == 0
    assert main(["enrol-token", "CAM-1", "--ca", str(in_service.ca)]) == 1
    assert main(["vault", "new", "A second", "--ca", str(in_service.ca), "--out", str(tmp_path / "v")]) == 0
    assert main(["enrol-token", "CAM-1", "--ca", str(in_service.ca)]) == 0


def test_what_is_sealed_to_two_vaults_opens_with_either(vaults: Path, tmp_path: Path) -> None:
    data = recorded(tmp_path / "device.toml")
    assert opened(data, vaults, "evidence-vault") == opened(data, vaults, "county-clerk") == b"evidence"


def test_a_backup_is_tried_and_opens_after_the_key_is_lost(
    vaults: Path, tmp_path: Path, words: Path, openssl: Openssl, capsys: Out
) -> None:
    data = recorded(tmp_path / "device.toml")
    assert back_up(vaults, "evidence-vault", tmp_path / "one", tmp_path / "two") == 0
    assert "do not lie on two different media" in capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert openssl("pkey", "-in", tmp_path / "one", "-passin", f"file:{words}", "-noout").returncode == 0
    (vaults / "evidence-vault.key").unlink()
    assert main(["vault", "restore", str(tmp_path / "two"), "--out", str(tmp_path / "again.key")]) == 0
    recipient = Recipient.of(load_certificates(tmp_path / "again.pem")[0])
    assert open_sealed(data, recipient, load_private_key(tmp_path / "again.key")) == b"evidence"


def test_a_damaged_backup_or_a_wrong_passphrase_is_told(vaults: Path, tmp_path: Path, words: Path, capsys: Out) -> None:
    copy = tmp_path / "copy"
    assert back_up(vaults, "evidence-vault", copy) == 0
    words.write_text("five other words than before\n")
    assert main(["vault", "restore", str(copy), "--out", str(tmp_path / "again.key")]) == 1
    assert "does not open" in capsys.readouterr().err
    words.write_text("five words for the vault copies\n")
    swapped = copy.read_text().split("-----BEGIN CERT")[0] + (vaults / "county-clerk.pem").read_text()
    copy.write_text(swapped)
    assert main(["vault", "restore", str(copy), "--out", str(tmp_path / "again.key")]) == 1
    assert "does not open what is sealed to its certificate" in capsys.readouterr().err
    assert not (tmp_path / "again.key").exists()


def test_nothing_is_overwritten_by_a_backup_or_a_restore(vaults: Path, tmp_path: Path, words: Path) -> None:
    copy, key = tmp_path / "copy", vaults / "evidence-vault.key"
    assert back_up(vaults, "evidence-vault", copy) == 0
    before = copy.read_bytes(), key.read_bytes()
    assert back_up(vaults, "county-clerk", copy) == 1
    assert main(["vault", "restore", str(copy), "--out", str(key)]) == 1
    assert (copy.read_bytes(), key.read_bytes()) == before


@pytest.mark.requirement("R34")
def test_the_escrow_check_wants_every_key_to_open_and_two_that_are_independent(
    vaults: Path, tmp_path: Path, words: Path, capsys: Out
) -> None:
    config, copy = tmp_path / "device.toml", tmp_path / "copy"
    first, second = vaults / "evidence-vault.key", vaults / "county-clerk.key"
    assert check(config, first, second) == 0
    assert check(config, first) == 1
    assert "nothing opens what is sealed to County clerk" in capsys.readouterr().out
    assert back_up(vaults, "county-clerk", copy) == 0
    assert check(config, first, copy) == 0, "an encrypted copy counts: it was opened"
    shutil.copy(vaults / "evidence-vault.pem", vaults / "county-clerk.pem")
    assert check(config, first) == 1
    assert "only 1 independent key opened" in capsys.readouterr().out


def test_a_key_that_lies_elsewhere_answers_a_challenge_with_a_code(vaults: Path, tmp_path: Path, capsys: Out) -> None:
    config, challenge = tmp_path / "device.toml", tmp_path / "challenge"
    assert check(config, more=("--make-challenge", str(challenge))) == 0
    answer = ["vault", "answer", str(challenge), "--key", str(vaults / "county-clerk.key"), "--cert"]
    capsys.readouterr()
    assert main([*answer, str(vaults / "county-clerk.pem")]) == 0
    code = capsys.readouterr().out.strip()
    mine, told = vaults / "evidence-vault.key", ("--challenge", str(challenge), "--code")
    assert check(config, mine, more=(*told, f" {code.upper()}")) == 0
    assert check(config, mine, more=(*told, code[:-1] + ("0" if code[-1] != "0" else "1"))) == 1
    assert check(config, more=(*told, code)) == 1, "one code does not speak for the other vault"
    assert main([*answer, str(vaults / "evidence-vault.pem")]) == 1
    assert "does not belong" in capsys.readouterr().err


@pytest.mark.requirement("R34", "R41")
def test_a_rotation_loses_no_recording(agency: Agency, vaults: Path, tmp_path: Path, capsys: Out) -> None:
    """Rehearsed: old, beside, new; everything that was ever recorded opens, with the old keys or the new one."""
    config, first, second = tmp_path / "device.toml", vaults / "evidence-vault.key", vaults / "county-clerk.key"
    old = recorded(config)
    assert main(["vault", "new", "Vault 2027", "--ca", str(agency.ca), "--out", str(vaults)]) == 0
    new = vaults / "vault-2027"
    rotate = ["vault", "rotate", "--config", str(config)]
    assert main([*rotate, "--add", f"{new}.pem", "--key", str(first)]) == 1
    assert "nothing is sealed to it before it does" in capsys.readouterr().err
    assert main([*rotate, "--add", f"{new}.pem", "--key", f"{new}.key"]) == 0
    beside = recorded(config)
    retire = [*rotate, "--retire", str(vaults / "evidence-vault.pem"), "--key", f"{new}.key"]
    assert main(retire) == 1
    assert "nothing opens what is sealed to County clerk" in capsys.readouterr().err
    assert main([*retire, "--key", str(second)]) == 0
    assert "KEEP THE OLD KEY" in capsys.readouterr().out
    late = recorded(config)
    assert opened(old, vaults, "evidence-vault") == opened(old, vaults, "county-clerk") == b"evidence"
    assert opened(beside, vaults, "evidence-vault") == opened(beside, vaults, "vault-2027") == b"evidence"
    assert opened(late, vaults, "vault-2027") == opened(late, vaults, "county-clerk") == b"evidence"
    with pytest.raises(CannotDecrypt):
        opened(late, vaults, "evidence-vault")
    assert first.exists()
    assert config.read_text().startswith('# a camera\nserial = "CAM-1"\nmodel = "bench"\n')


def test_the_last_but_one_vault_is_not_retired(vaults: Path, tmp_path: Path, capsys: Out) -> None:
    config = tmp_path / "device.toml"
    before = config.read_text()
    retire = ["vault", "rotate", "--config", str(config), "--retire", str(vaults / "evidence-vault.pem")]
    retire += ["--key", str(vaults / "county-clerk.key")]
    assert main(retire) == 1
    assert "only 1 independent key" in capsys.readouterr().err
    assert config.read_text() == before
    assert main([*retire, "--single-recipient-i-accept-the-loss"]) == 0
    again = ["vault", "rotate", "--config", str(config), "--retire", str(vaults / "county-clerk.pem")]
    assert main([*again, "--single-recipient-i-accept-the-loss"]) == 1
    assert "no vault would stay" in capsys.readouterr().err

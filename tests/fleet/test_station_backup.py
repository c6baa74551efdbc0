"""A docking station burns down and goes on elsewhere: rehearsed with real station processes (R38, R40)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "dock"))

from dock_bench import TUS, Client, Process, poll_until, write_station
from dock_camera import Camera

from dock.__main__ import main as dock
from dock.config import load_station
from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.handover import SpoolFile, decode_contact
from evidence.keys import load_certificates, load_private_key
from evidence.sealed import Recipient, seal
from evidence.trust import Trust
from fleet.__main__ import main
from fleet.ca import create_agency, write_credential

Out = pytest.CaptureFixture[str]
Openssl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial agency with a second vault."""
    directory = tmp_path_factory.mktemp("pki")
    authority = create_agency(directory)
    write_credential(directory, "clerk", authority.vault("County clerk"))
    return directory


@dataclass
class Dock:
    """A station process, its camera, and what they did."""

    pki: Path
    home: Path
    config: Path
    process: Process
    client: Client
    camera: Camera

    def upload(self, number: int) -> tuple[SpoolFile, str]:
        """A recording that got its receipt; where the receipt is."""
        file = self.camera.record(number)
        data = (self.camera.spool / file.name).read_bytes()
        status, headers, _ = self.client.create(file.name, len(data), close_hash=file.close_hash)
        assert status == 201
        assert self.client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
        where = poll_until(lambda: self.client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))
        assert self.client("GET", where)[0] == 200
        return file, where

    def restart(self, config: Path) -> Dock:
        """Another station process, with this configuration."""
        process = Process(config, "station").start()
        return Dock(self.pki, config.parent, config, process, Client(process.port, self.pki), self.camera)


@pytest.fixture
def station(tmp_path: Path, pki: Path) -> Iterator[Dock]:
    home, spool = tmp_path / "old-machine", tmp_path / "spool"
    home.mkdir()
    spool.mkdir()
    for name in ("root.pem", "tls-ca.pem", "station-tls.pem", "station-receipt.pem"):
        shutil.copy(pki / name, home)
    config = write_station(home, pki)
    config.write_text(config.read_text().replace(f"{pki}/root.pem", "root.pem"))
    process = Process(config, "station").start()
    yield Dock(pki, home, config, process, Client(process.port, pki), Camera(pki, spool))
    if process.started is not None and process.started.poll() is None:
        process.kill()


def back_up(station: Dock, out: Path, *vaults: str) -> int:
    recipients = [
        text for name in vaults or ("vault", "clerk") for text in ("--recipient", str(station.pki / f"{name}.pem"))
    ]
    return main(["station-backup", "--config", str(station.config), *recipients, "--out", str(out)])


def restore(station: Dock, backup: Path, out: Path, name: str = "clerk", root: Path | None = None) -> int:
    words = ["station-restore", str(backup), "--key", str(station.pki / f"{name}.key"), "--cert"]
    words += [str(station.pki / f"{name}.pem"), "--root", str(root or station.pki / "root.pem"), "--out", str(out)]
    return main(words)


def steps(config: Path, pki: Path) -> list[str]:
    """The custody ledger, checked link by link by the tool that a court would use."""
    assert dock(["custody", "--config", str(config), "--check"]) == 0
    ledger = Ledger(ledger_files(load_station(config).directory / "custody"), Trust.load(pki / "root.pem"))
    found = [entry.statement.step for entry in ledger.entries()]
    assert ledger.findings == []
    return found


@pytest.mark.requirement("R38", "R40")
def test_a_station_goes_on_from_its_backup_and_says_so_in_its_ledger(
    station: Dock, tmp_path: Path, capsys: Out
) -> None:
    file, where = station.upload(1)
    assert back_up(station, tmp_path / "backup", "vault", "clerk") == 0, "while it runs"
    lost, _ = station.upload(2)
    station.process.kill()
    store = station.home / "station" / "store"
    saved = tmp_path / "store-on-a-disk-that-lived"
    shutil.copytree(store, saved)
    shutil.rmtree(station.home)

    assert restore(station, tmp_path / "backup", tmp_path / "new") == 0
    config = tmp_path / "new" / "station.toml"
    before = len(steps(config, station.pki))
    assert before > 0
    shutil.copytree(saved, tmp_path / "new" / "directory" / "store", dirs_exist_ok=True)
    again = station.restart(config)
    try:
        assert again.client("GET", where)[0] == 200, "the store lived, and with it its receipts"
        again.upload(3)
        document = cms.parse_signed(again.client("POST", "/contact")[2])
        assert decode_contact(document.payload).serial == again.camera.serial
    finally:
        again.client.close()
        assert again.process.stop() == 0
    found = steps(config, station.pki)
    assert found[before] == "restored"
    assert found.count("restored") == 1
    assert len(found) > before + 1
    assert file.name != lost.name


@pytest.mark.requirement("R34", "R38")
def test_a_store_that_is_lost_hands_out_no_receipt_for_what_it_lost(station: Dock, tmp_path: Path) -> None:
    """The camera hears that nothing is there, and sends its recording again: an old word deletes nothing."""
    file, where = station.upload(1)
    assert back_up(station, tmp_path / "backup") == 0
    station.process.kill()
    shutil.rmtree(station.home)
    assert restore(station, tmp_path / "backup", tmp_path / "new") == 0
    papers = tmp_path / "new" / "directory" / "restored-papers"
    assert (papers / f"{file.name}.receipt.p7s").exists(), "as a proof of time it is kept"
    again = station.restart(tmp_path / "new" / "station.toml")
    try:
        assert again.client("GET", where)[0] == 404
        data = (again.camera.spool / file.name).read_bytes()
        status, headers, _ = again.client.create(file.name, len(data), close_hash=file.close_hash)
        assert status == 201
        assert again.client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
        fresh = poll_until(lambda: again.client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))
        assert again.client("GET", fresh)[0] == 200
    finally:
        again.client.close()
        assert again.process.stop() == 0


def test_the_backup_is_for_the_vaults_holders_only_and_openssl_opens_it(
    station: Dock, tmp_path: Path, capsys: Out, openssl: Openssl
) -> None:
    backup = tmp_path / "backup"
    assert back_up(station, backup, "vault") == 1
    assert "seal the backup to 2 vaults" in capsys.readouterr().err
    assert back_up(station, backup) == 0
    key = (station.pki / "station-receipt.key").read_bytes()
    assert key.splitlines()[1] not in backup.read_bytes()
    opened = ["-recip", station.pki / "clerk.pem", "-inkey", station.pki / "clerk.key", "-out", tmp_path / "part"]
    assert openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", backup, *opened).returncode == 0
    assert (tmp_path / "part").read_bytes()[:11] == b"\0" * 9 + b"\x1f\x8b"
    assert back_up(station, backup) == 1, "never overwritten"
    assert not list(tmp_path.glob(".*.part"))


def test_a_false_backup_is_not_unpacked(station: Dock, tmp_path: Path, capsys: Out) -> None:
    """Anyone can seal to a vault's public certificate; only the station signs."""
    backup, new = tmp_path / "backup", tmp_path / "new"
    assert back_up(station, backup) == 0
    good = backup.read_bytes()
    recipient = Recipient.of(load_certificates(station.pki / "clerk.pem")[0])
    forged = bytes(seal([b"\0" * 9 + b"x"], [recipient])) + bytes(seal([b"\0" * 7 + b"\1\1", b"no"], [recipient]))
    create_agency(tmp_path / "other")
    for data, root, sentence in (
        (good[:-5], None, "cut off"),
        (good[:2000] + bytes([good[2000] ^ 1]) + good[2001:], None, "altered"),
        (good + b"0", None, "behind its end"),
        (good + good, None, "behind its end"),
        (forged, None, ""),
        (b"\x1f\x8b\x08 a plain tar.gz", None, "no backup"),
        (good, tmp_path / "other" / "root.pem", "does not lead to the root"),
    ):
        backup.write_bytes(data)
        capsys.readouterr()
        assert restore(station, backup, new, root=root) == 1
        assert sentence in capsys.readouterr().err
        assert list(new.iterdir()) == []
    backup.write_bytes(good)
    assert restore(station, backup, new) == 0
    told = json.loads((new / "directory" / "restored.json").read_bytes())
    assert told["station"] == "station-1"
    assert all(path.stat().st_mode & 0o077 == 0 for path in new.rglob("*") if path.is_file())
    named = [path.read_bytes() for path in (new / "named").iterdir()]
    assert (station.pki / "station-receipt.key").read_bytes() in named
    load_private_key(next(path for path in (new / "named").iterdir() if b"PRIVATE KEY" in path.read_bytes()))

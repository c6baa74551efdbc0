"""`firsthand-dock custody`: the whole story of a recording, read beside the running station; exports told by others."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dock_bench import TUS, Client, Process, poll_until, write_station
from dock_camera import Camera

from evidence.durable import AppendFile
from evidence.keys import FileSigner
from evidence.statements import FileFacts
from evidence.unwrap_ledger import UnwrapLedger
from fleet.ca import create_agency, write_credential

NAME = "SIM-0001-000001.evidence"


def dock(verb: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", verb, "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def send(client: Client, path: Path) -> None:
    data = path.read_bytes()
    _, headers, _ = client.create(path.name, len(data))
    assert client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
    poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"))


class Told:
    """An agency with an export desk, and a running station that has a recording and the log that tells of it."""

    def __init__(self, directory: Path) -> None:
        self.pki = directory / "pki"
        self.pki.mkdir()
        authority = create_agency(self.pki)
        write_credential(self.pki, "export", authority.signer("export", "Export desk", serial="DESK-1"))
        (directory / "spool").mkdir()
        self.camera = Camera(self.pki, directory / "spool")
        self.config = write_station(directory, self.pki)
        self.station = Process(self.config, "station").start()
        client = Client(self.station.port, self.pki)
        self.file = self.camera.record(1)
        self.path = self.camera.spool / self.file.name
        send(client, self.path)
        send(client, self._log(1))
        send(client, self.camera.spool / self.camera.record(2).name)

    def _log(self, number: int) -> Path:
        facts = FileFacts(
            name=NAME,
            bytes=self.file.bytes,
            sha256=hashlib.sha256(self.path.read_bytes()).hexdigest(),
            close_hash=self.file.close_hash,
        )
        begun = self.camera.begin(f"SIM-0001-log-{number:06d}.evidence", "log", number, "log")
        writer = begun.writer
        writer.event("recording_opened", recording=1, details={"trigger": "light_bar"})
        writer.event("recording_closed", recording=1, word="record_button", file=facts)
        writer.event("recording_opened", recording=2)
        writer.event("receipt_taken", recording=1, file=facts)
        writer.event("tombstone", recording=1, file=facts)
        return self.camera.spool / self.camera.end(begun).name


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    made = Told(tmp_path_factory.mktemp("told"))
    yield made
    made.station.kill()


@pytest.mark.requirement("R38", "R40")
def test_camera_and_station_tell_one_story_in_plain_sentences(told: Told) -> None:
    done = dock("custody", told.config, "SIM-0001-000001", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, counted, ledger = done.stdout.splitlines()
    camera = [one for one in lines if "camera SIM-0001 (log 1:" in one]
    assert "recording 1 was started" in camera[0]
    assert "recording 1 ends: stopped by the officer" in camera[1]
    assert f"{NAME} was deleted from the card" in camera[-1]
    assert "light_bar" not in done.stdout, "sealed details stay sealed"
    station = [one for one in lines if "station station-1" in one or "all " in one]
    assert [one.split(": ", 1)[1].split(" ")[0] for one in station][:3] == ["all", "stored", "receipt"]
    assert "000002" not in done.stdout.replace("log-000002", "")
    assert counted.endswith(" of the custody ledger, 4 of the camera's log; --check verifies the whole ledger.")
    assert ledger.startswith("The ledger: ")


def test_the_story_is_there_for_programs_and_is_in_order(told: Told) -> None:
    rows = [json.loads(one) for one in dock("custody", told.config, NAME, "--json").stdout.splitlines()]
    assert [one["step"] for one in rows if one["source"] == "station"][:3] == ["received", "stored", "receipt"]
    steps = [one["step"] for one in rows if one["source"] == "camera"]
    assert steps == ["recording_opened", "recording_closed", "receipt_taken", "tombstone"]
    assert [one["at"] for one in rows] == sorted(one["at"] for one in rows)


def test_what_is_not_known_and_what_was_changed_is_an_error(told: Told, tmp_path: Path) -> None:
    done = dock("custody", told.config, "SIM-0001-000077")
    assert done.returncode == 1
    assert "nothing is known of SIM-0001-000077" in done.stdout
    assert dock("custody", told.config).returncode == 64
    assert "is no recording" in dock("custody", told.config, "77").stderr
    copy = write_station(tmp_path, told.pki, name="copy")
    directory = tmp_path / "copy"
    (directory / "custody").mkdir(parents=True)
    (directory / "store").mkdir()
    whole = (told.config.parent / "station/custody/ledger-000001.custody").read_bytes()
    (directory / "custody/ledger-000001.custody").write_bytes(
        whole.replace(b"directory:station-1", b"directory:station-9")
    )
    done = dock("custody", copy, "SIM-0001-000001", "--check")
    assert done.returncode == 1
    assert "NOT VALID" in done.stdout
    segment = "SIM-0001-log-000001.evidence"
    log = (told.camera.spool / segment).read_bytes()
    (directory / "store" / segment).write_bytes(log.replace(b'"word":"record_button"', b'"word":"record_buttom"'))
    assert f"NOT VALID: {segment}" in dock("custody", copy, "SIM-0001-000001").stdout


@pytest.mark.requirement("R38")
def test_an_export_desks_signed_ledger_is_entered_once_and_a_strangers_never(told: Told, tmp_path: Path) -> None:
    for stem, done in (("export", True), ("export", False)):
        ledger = UnwrapLedger(
            tmp_path / "unwraps.ledger",
            FileSigner.load(told.pki / f"{stem}.key", told.pki / f"{stem}.pem"),
            "export",
            NAME,
            "0" * 64,
        )
        ledger.begin()
        ledger.opened("1" * 64)
        if done:
            ledger.end(done=True)
    added = dock("add-export", told.config, str(tmp_path / "unwraps.ledger"), "--who", "Clerk Day")
    assert added.stdout.startswith("2 exports are entered"), added.stderr
    added = dock("add-export", told.config, str(tmp_path / "unwraps.ledger"))
    assert "0 exports are entered into the custody ledger; 2 stood there already" in added.stdout
    story = dock("custody", told.config, NAME).stdout
    assert "export desk DESK-1" in story
    assert "1 objects, done" in story
    assert "never ended" in story
    assert "brought by Clerk Day (user " in story

    (tmp_path / "pki").mkdir()
    stranger = create_agency(tmp_path / "pki")
    write_credential(tmp_path / "pki", "export", stranger.signer("export", "Export desk", serial="DESK-1"))
    ledger = UnwrapLedger(
        tmp_path / "foreign.ledger",
        FileSigner.load(tmp_path / "pki/export.key", tmp_path / "pki/export.pem"),
        "export",
        NAME,
        "0" * 64,
    )
    ledger.begin()
    assert "does not lead to the root" in dock("add-export", told.config, str(tmp_path / "foreign.ledger")).stderr


def test_a_torn_ledger_file_of_others_is_refused_with_a_sentence(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "report.json.p7s"
    with AppendFile.create(path) as file:
        file.append([b"\x30\x03\x02\x01\x01"])
    done = dock("add-export", told.config, str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("firsthand-dock add-export: ")

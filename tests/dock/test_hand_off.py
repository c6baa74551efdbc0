"""The hand-off: a folder that an evidence management system can take in, whole or saying that it is not (R38, R40)."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from dock_bench import TUS, Client, Process, poll_until, write_station
from dock_camera import Camera

from dock.config import load_station
from dock.station.hand_off_manifest import _inert, schema
from dock.station.hand_offs import HandOffs
from dock.station.opening import open_station
from dock.station.vault_proofs import VaultProofs
from evidence.__main__ import main
from evidence.custody_ledger import Ledger, ledger_files
from evidence.vault_proof import VaultProof

BASE = Path(__file__).resolve().parents[2]
FIRST, SECOND = "SIM-0001-000001", "SIM-0001-000002"


def dock(verb: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", verb, "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class Bench:
    """A running station with two recordings, the first labelled and held."""

    def __init__(self, directory: Path, pki: Path) -> None:
        self.pki, self.directory = pki, directory
        (directory / "spool").mkdir()
        self.camera = Camera(pki, directory / "spool")
        self.config = write_station(directory, pki)
        self.station = Process(self.config, "station").start()
        client = Client(self.station.port, pki)
        for number, size in ((1, 400_000), (2, 0)):
            path = self.camera.spool / self.camera.record(number, size=size).name
            data = path.read_bytes()
            _, headers, _ = client.create(path.name, len(data))
            client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())
            poll_until(lambda where=headers["location"]: client("HEAD", where, TUS)[1].get("firsthand-receipt"))
        said = ("--category", "use_of_force", "--case", "=26-0815", "--who", "Det. Poe")
        assert dock("label", self.config, FIRST, *said).returncode == 0
        assert dock("hold", self.config, FIRST, "--reason", "order 12", "--kind", "litigation").returncode == 0

    def hand_off(self, out: Path, *ids: str) -> subprocess.CompletedProcess[str]:
        return dock("hand-off", self.config, *ids, "--out", str(out), "--to", "County prosecutor", "--who", "Clerk Day")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("hand-off"), pki)
    yield made
    made.station.kill()


@pytest.fixture(scope="module")
def out(bench: Bench) -> Path:
    """A finished hand-off of both."""
    done = bench.hand_off(bench.directory / "out", FIRST, SECOND)
    assert done.returncode == 0, done.stderr
    assert "is complete: 2 recordings" in done.stdout
    return bench.directory / "out"


@pytest.fixture
def manifest(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return found


@pytest.mark.requirement("R38", "R40", "R35", "R31")
def test_the_manifest_says_of_each_recording_what_an_archive_asks(bench: Bench, manifest: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(json.loads(schema())).validate(manifest)
    assert (manifest["kind"], manifest["to"], manifest["station"]) == (
        "firsthand_hand_off",
        "County prosecutor",
        "station-1",
    )
    first, second = manifest["recordings"]
    data = (bench.camera.spool / f"{FIRST}.evidence").read_bytes()
    assert (first["id"], first["serial"], first["number"]) == (FIRST, "SIM-0001", 1)
    assert (first["bytes"], first["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (first["verdict"], first["receipt"]["verdict"], first["retention_class"]) == ("valid", "valid", "standard")
    assert first["began_earliest"] <= first["began_latest"] < first["ended_latest"]
    assert (first["duration_ms"], first["frames"], first["simulated"]) == (4000, 120, True)
    assert (first["held"], first["holds"][0]["reason"]) == (True, "order 12")
    assert (first["category"], first["case_numbers"]) == ("use_of_force", ["=26-0815"])
    assert first["labels"][0]["who"].startswith("Det. Poe (user ")
    assert "officer" not in first, "who carried the camera is sealed"
    assert second["held"] is False
    assert "category" not in second


def test_the_manifest_for_spreadsheets_has_the_same_rows_and_no_formulas(out: Path, manifest: dict[str, Any]) -> None:
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as file:
        first, second = list(csv.DictReader(file))
    assert (first["id"], first["held"], first["category"]) == (FIRST, "yes", "use_of_force")
    assert first["case_numbers"] == "'=26-0815"
    assert (second["sha256"], second["held"]) == (manifest["recordings"][1]["sha256"], "no")
    assert [_inert(one) for one in ("=1", "+1", "-1", "@x", "a=1", "")] == ["'=1", "'+1", "'-1", "'@x", "a=1", ""]


@pytest.mark.requirement("R38", "R40")
def test_whoever_gets_it_checks_everything_with_the_root_alone(
    bench: Bench, out: Path, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (out / "INCOMPLETE.txt").exists()
    assert sorted(path.name for path in out.iterdir()) == [
        "README.txt", FIRST, SECOND, "manifest.csv", "manifest.json", "root.pem",
    ]  # fmt: skip
    for one in manifest["recordings"]:
        assert main(["verify", str(out / one["file"]), "--root", str(out / "root.pem")]) == 0
        assert hashlib.sha256((out / one["file"]).read_bytes()).hexdigest() == one["sha256"]
        assert hashlib.sha256((out / one["receipt"]["file"]).read_bytes()).hexdigest() == one["receipt"]["sha256"]
        for entry in [one["receipt"]["file"], *one["custody"]]:
            command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", out / entry, "-CAfile", out / "root.pem"]
            assert subprocess.run(command, capture_output=True, check=False).returncode == 0, entry
    steps = [Path(entry).stem.split("-")[1] for entry in manifest["recordings"][0]["custody"]]
    assert [step for step in steps if step != "proof_wanted"] == [
        "received", "stored", "receipt", "labelled", "labelled", "hold",
    ]  # fmt: skip
    assert "put on hold (litigation): order 12" in (out / FIRST / "custody.txt").read_text()
    assert json.loads((out / FIRST / "custody.json").read_text())[0]["step"] == "received"


@pytest.mark.requirement("R38")
def test_the_hand_off_stands_in_the_custody_ledger_and_names_its_manifest(bench: Bench, out: Path) -> None:
    ledger = Ledger(ledger_files(bench.directory / "station/custody"), None)
    entries = [one.statement for one in ledger.entries()]
    digest = hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
    told = [one for one in entries if one.step == "handed_off" and one.details["manifest"] == digest]
    assert [one.name for one in told] == [f"{FIRST}.evidence", f"{SECOND}.evidence"]
    assert told[0].who.startswith("Clerk Day (user ")
    head = json.loads((out / "manifest.json").read_text())
    assert entries[head["ledger_entries"]].prev == head["ledger_head"]


@pytest.mark.requirement("R38")
def test_an_interrupted_one_says_so_goes_on_and_takes_nothing_that_differs(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "out"
    (target / FIRST).mkdir(parents=True)
    (target / "INCOMPLETE.txt").write_text("it was killed")
    data = (bench.camera.spool / f"{FIRST}.evidence").read_bytes()
    part = target / FIRST / f"{FIRST}.evidence.part"
    part.write_bytes(b"x" + data[1:200_000])
    done = bench.hand_off(target, FIRST)
    assert done.returncode == 1
    assert "is not what the receipt says" in done.stderr
    assert "Do not take anything from it" in (target / "INCOMPLETE.txt").read_text()
    assert not part.exists()
    assert not (target / "manifest.json").exists()
    part.write_bytes(data[:200_000])
    assert bench.hand_off(target, FIRST).returncode == 0
    assert (target / FIRST / f"{FIRST}.evidence").read_bytes() == data
    assert not (target / "INCOMPLETE.txt").exists()
    done = bench.hand_off(target, FIRST)
    assert done.returncode == 1
    assert "choose another folder" in done.stderr


def test_what_the_station_did_not_take_in_whole_is_not_handed_off(bench: Bench, tmp_path: Path) -> None:
    done = bench.hand_off(tmp_path / "out", FIRST, "SIM-0001-000077")
    assert done.returncode == 1
    assert "the station has no receipt for SIM-0001-000077" in done.stderr
    assert (tmp_path / "out/INCOMPLETE.txt").exists()
    assert "name 1 to 10000 recordings" in bench.hand_off(tmp_path / "none").stderr


def test_a_stored_file_that_rotted_is_noticed(bench: Bench, tmp_path: Path, pki: Path) -> None:
    copy = write_station(tmp_path, pki, name="copy")
    shutil.copytree(bench.directory / "station", tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    stored = tmp_path / "copy/store" / f"{SECOND}.evidence"
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    done = dock("hand-off", copy, SECOND, "--out", str(tmp_path / "out"), "--to", "x")
    assert done.returncode == 1
    assert "is not what the receipt says" in done.stderr


def test_the_vault_holders_proof_of_this_very_file_goes_along(tmp_path: Path, pki: Path) -> None:
    proof = VaultProof(
        v=1, serial="SIM-0001", stream="recording", number=1, name=f"{FIRST}.evidence", bytes=1, sha256="1" * 64,
        close_hash="2" * 64, vault_sha256="3" * 64, firmware_sha256="4" * 64, objects=1, first_object="5" * 64,
        last_object="5" * 64, holder="VAULT-1", issued="2026-11-22T12:00:00.000000Z",
    )  # fmt: skip
    with open_station(load_station(write_station(tmp_path, pki))) as station:
        station.part(VaultProofs).ledger.keep("6" * 64, proof, b"signed")
        ask = station.part(HandOffs).admin_verbs()["hand_off_facts"]
        assert ask({"id": FIRST, "sha256": "1" * 64}, "user root")["proof"] == base64.b64encode(b"signed").decode()
        assert ask({"id": FIRST, "sha256": "7" * 64}, "user root")["proof"] is None


def test_the_published_schema_is_that_of_the_code() -> None:
    """After a change: ``python -c "from dock.station.hand_off_manifest import schema; …"`` (docs/hand-off.md)."""
    assert (BASE / "docs/hand-off.schema.json").read_bytes() == schema()

"""Vault proofs at the station (R40, invariant 8): the work list, what is taken in, what goes to which camera."""

from __future__ import annotations

import base64
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dock_bench import SERIAL, Client, Process, poll_until, write_station
from dock_camera import Camera

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.errors import BadArguments, StationSaysNo
from dock.names import parse_name
from dock.station.opening import open_station
from dock.station.part import Stored
from dock.station.vault_proofs import VaultProofs
from evidence import cms
from evidence.__main__ import main
from evidence.custody_ledger import Ledger, ledger_files
from evidence.handover import SpoolFile
from evidence.keys import FileSigner
from evidence.statements import UploadClass, encode_canonical
from evidence.vault_proof import decode_vault_proof
from evidence.verify import verify_file

NOW = dt.datetime.now(dt.UTC)


@dataclass
class Dock:
    """A station process, one camera's files, and the vault's holder."""

    directory: Path
    pki: Path
    config: Path
    process: Process
    camera: Camera

    def __post_init__(self) -> None:
        self.client = Client(self.process.port, self.pki)
        self.proofs = self.directory / "proofs"

    def store(self, number: int, upload_class: UploadClass = "normal") -> SpoolFile:
        """A recording that is in the store, with its receipt."""
        file = self.camera.record(number, upload_class=upload_class)
        address = self.client.create(file.name, file.bytes)[1]["location"]
        status, _, _ = self.client.patch(address, 0, (self.camera.spool / file.name).read_bytes())
        assert status == 204
        poll_until(lambda: self.client("GET", f"/receipts/{file.name}")[0] == 200, why="a receipt")
        return file

    def wanted(self) -> list[tuple[str, str]]:
        answer = ask(load_station(self.config), "proofs_wanted", {})
        return [(one["name"], one["why"]) for one in answer["files"]]

    def open(self, *names: str) -> list[Path]:
        """The holder's work, with the real tool, on the files in the store."""
        store = self.directory / "station" / "store"
        return self.open_files(self.pki, self.proofs, *(store / name for name in names))

    @staticmethod
    def open_files(pki: Path, out: Path, *paths: Path) -> list[Path]:
        options = {"root": "root.pem", "vault-cert": "vault.pem", "vault-key": "vault.key", "cert": "proof.pem"}
        words = [text for name, file in options.items() for text in (f"--{name}", str(pki / file))]
        files = [str(path) for path in paths]
        assert main(["prove-open", *files, *words, "--key", str(pki / "proof.key"), "--out", str(out)]) == 0
        return [out / f"{path.name}.proof.p7s" for path in paths]

    def take(self, document: bytes) -> dict[str, Any]:
        encoded = base64.b64encode(document).decode()
        return ask(load_station(self.config), "proofs_take", {"proof": encoded}, "Ms. Key")

    def documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.client("GET", "/documents")[2])
        return found

    def answer(self, document: dict[str, Any], **said: str) -> None:
        path = f"/documents/{document['id']}/answer"
        assert self.client("POST", path, body=json.dumps(said).encode())[0] == 204

    def missing(self, *names: str) -> int:
        return self.client("POST", "/proofs/missing", body=json.dumps({"names": names}).encode())[0]

    def custody(self, step: str) -> list[str | None]:
        ledger = Ledger(ledger_files(self.directory / "station/custody"), None)
        return [one.statement.name for one in ledger.entries() if one.statement.step == step]


def _dock(pki: Path) -> Iterator[Dock]:
    with tempfile.TemporaryDirectory(prefix="dock-") as name:
        directory = Path(name)
        (directory / "spool").mkdir()
        config = write_station(directory, pki)
        process = Process(config, "station").start()
        made = Dock(directory, pki, config, process, Camera(pki, directory / "spool"))
        yield made
        made.client.close()
        made.process.stop()


@pytest.fixture
def dock(pki: Path) -> Iterator[Dock]:
    yield from _dock(pki)


@pytest.fixture(scope="module")
def shared(pki: Path) -> Iterator[Dock]:
    """One stored recording, whose proof is not taken in yet."""
    for one in _dock(pki):
        one.store(1)
        yield one


@pytest.mark.requirement("R40")
def test_the_first_file_and_each_critical_one_are_wanted_until_their_proofs_came(dock: Dock) -> None:
    first, plain = dock.store(1), dock.store(2)
    critical = [dock.store(3, "critical"), dock.store(4, "critical")]
    assert dock.wanted() == [(first.name, "first"), *((one.name, "critical") for one in critical)]
    proofs = dock.open(first.name, critical[0].name)
    done = dock.take(proofs[0].read_bytes())
    assert done == {"serial": SERIAL, "name": first.name, "new": True}
    assert dock.take(proofs[0].read_bytes())["new"] is False, "twice is once"
    assert dock.wanted() == [(one.name, "critical") for one in critical]
    dock.take(proofs[1].read_bytes())
    assert dock.wanted() == [(critical[1].name, "critical")]
    dock.store(5)
    assert (plain.name, "first") not in dock.wanted(), "the same vault and firmware"
    assert dock.custody("proof_wanted") == [first.name, *(one.name for one in critical)]
    assert dock.custody("proof_taken") == [first.name, critical[0].name]


@pytest.mark.requirement("R40")
def test_a_critical_recording_stands_for_its_pair_too(dock: Dock) -> None:
    critical = dock.store(1, "critical")
    plain = dock.store(2)
    assert dock.wanted() == [(plain.name, "first"), (critical.name, "critical")]
    dock.take(dock.open(critical.name)[0].read_bytes())
    assert dock.wanted() == []


@pytest.mark.requirement("R40")
def test_a_proof_goes_to_its_camera_and_to_no_other_and_outlives_a_crash(dock: Dock) -> None:
    file = dock.store(1)
    (path,) = dock.open(file.name)
    dock.take(path.read_bytes())
    dock.process.kill()
    dock.process = Process(dock.config, "station").start()
    dock.client = Client(dock.process.port, dock.pki)
    (waiting,) = dock.documents()
    assert (waiting["kind"], waiting["bytes"]) == ("proof", path.stat().st_size)
    assert dock.client("GET", f"/documents/{waiting['id']}")[2] == path.read_bytes()
    dock.answer(waiting, error="the camera still starts")
    assert dock.documents() == [waiting], "it is offered again"
    dock.answer(waiting)
    assert dock.documents() == []
    assert len(dock.custody("proof_given")) == len(dock.custody("proof_refused")) == 1


@pytest.mark.requirement("R40")
def test_a_camera_that_refuses_again_and_again_is_not_asked_for_ever(dock: Dock) -> None:
    dock.take(dock.open(dock.store(1).name)[0].read_bytes())
    for _ in range(8):
        (waiting,) = dock.documents()
        dock.answer(waiting, error="no")
    assert dock.documents() == []
    assert len(dock.custody("proof_refused")) == 1


@pytest.mark.requirement("R31", "R40")
def test_a_camera_says_what_waits_and_the_station_finds_out_what_helps(dock: Dock) -> None:
    first, late = dock.store(1), dock.store(2)
    assert dock.missing(first.name, late.name) == 204
    assert dock.wanted() == [(first.name, "first")], "one proof may help both"
    dock.take(dock.open(first.name)[0].read_bytes())
    assert dock.missing(late.name) == 204
    assert dock.wanted() == [], "the proof has not even reached the camera"
    (waiting,) = dock.documents()
    dock.answer(waiting)
    assert dock.missing(late.name) == 204
    assert dock.wanted() == [(late.name, "critical")], "a category must have made it critical since"
    assert dock.documents() == [waiting], "or the camera has forgotten: the proof is offered once more"
    dock.answer(waiting)
    assert dock.missing(late.name) == 204
    assert dock.documents() == []
    dock.take(dock.open(late.name)[0].read_bytes())
    (own,) = dock.documents()
    dock.answer(own)
    assert dock.missing(late.name) == 204
    assert dock.documents() == [own], "its card was put into another camera body"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"names":"x"}', b'{"names":[1]}', b'{"names":[],"more":1}', b"[" * 90_000, b" " * 300_000],
)
def test_what_is_no_list_of_names_is_refused(shared: Dock, body: bytes) -> None:
    assert shared.client("POST", "/proofs/missing", body=body)[0] in (400, 413)


def test_names_that_are_not_this_cameras_or_not_stored_make_no_work(shared: Dock) -> None:
    before = shared.wanted()
    names = ("SIM-0002-000001.evidence", f"{SERIAL}-000777.evidence", "../../etc/passwd", "x", "\n")
    assert shared.missing(*names) == 204
    assert shared.wanted() == before


@pytest.mark.requirement("R34", "R40")
def test_a_recording_that_another_store_holds_is_wanted_and_proven_all_the_same(
    pki: Path, camera: Camera, tmp_path: Path
) -> None:
    """Read back from a foreign store: its receipt names that store, and this station has no copy to look into."""
    file, late = camera.record(1), camera.record(2)
    with open_station(load_station(write_station(tmp_path, pki))) as station:
        part = station.part(VaultProofs)
        for one in (file, late):
            report = verify_file(camera.spool / one.name, station.trust)
            facts = (report.bytes, report.sha256)
            receipt, _ = station.desk.receipt(parse_name(one.name), one.name, report, facts, station.store)
            part.stored(Stored(one.name, msgspec.structs.replace(receipt, store="s3:city"), report))
        (wanted,) = part.admin_verbs()["proofs_wanted"]({}, "user x")["files"]
        assert (wanted["path"], wanted["why"]) == (f"s3:city/{file.name}", "first")
        shown = Dock.open_files(pki, tmp_path / "proofs", camera.spool / file.name, camera.spool / late.name)
        take = part.admin_verbs()["proofs_take"]
        take({"proof": base64.b64encode(shown[0].read_bytes()).decode()}, "user x")
        (document,) = part.documents(SERIAL)
        part.answered(SERIAL, document, None)
        part.missing(SERIAL, late.name)
        (wanted,) = part.admin_verbs()["proofs_wanted"]({}, "user x")["files"]
        assert (wanted["name"], wanted["why"]) == (late.name, "critical")
        false = json.loads(cms.parse_signed(shown[1].read_bytes()).payload) | {"sha256": "1" * 64}
        signer = FileSigner.load(pki / "proof.key", pki / "proof.pem")
        with pytest.raises(BadArguments, match="its sha256 is not that of the stored file"):
            part.check(cms.sign(encode_canonical(false), signer, NOW))
        assert part.check(shown[1].read_bytes()).name == late.name


# --- what is taken in -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(shared: Dock) -> bytes:
    return shared.open(f"{SERIAL}-000001.evidence")[0].read_bytes()


@pytest.mark.requirement("R40")
@pytest.mark.parametrize(
    ("changes", "stem", "said"),
    [
        ({"sha256": "1" * 64}, "proof", "its sha256 is not that of the stored file"),
        ({"close_hash": "1" * 64}, "proof", "its close_hash is not"),
        ({"bytes": 5}, "proof", "its bytes is not"),
        ({"number": 9, "name": f"{SERIAL}-000009.evidence"}, "proof", "is not in this station's store"),
        ({"serial": "SIM-0002", "name": "SIM-0002-000001.evidence"}, "proof", "is not in this station's store"),
        ({"objects": 0}, "proof", "not a valid document"),
        ({}, "station-receipt", "role, not proof"),
        ({}, "camera", "role, not proof"),
    ],
)
def test_a_false_proof_is_refused_in_a_sentence(
    shared: Dock, good: bytes, changes: dict[str, Any], stem: str, said: str
) -> None:
    values = json.loads(cms.parse_signed(good).payload) | changes
    signer = FileSigner.load(shared.pki / f"{stem}.key", shared.pki / f"{stem}.pem")
    with pytest.raises(StationSaysNo, match=said):
        shared.take(cms.sign(encode_canonical(values), signer, NOW))
    assert shared.documents() == []


def test_a_foreign_torn_or_large_proof_is_refused(shared: Dock, good: bytes, other_pki: Path) -> None:
    foreign = cms.sign(
        cms.parse_signed(good).payload, FileSigner.load(other_pki / "proof.key", other_pki / "proof.pem"), NOW
    )
    for document in (foreign, b"", good[:-1], good + b"\0", bytes(40_000)):
        with pytest.raises(StationSaysNo):
            shared.take(document)
    with pytest.raises(StationSaysNo, match="not base64"):
        ask(load_station(shared.config), "proofs_take", {"proof": "?"})
    assert shared.documents() == []


@pytest.mark.requirement("R40")
def test_the_holders_round_on_the_command_line(dock: Dock, capsys: pytest.CaptureFixture[str]) -> None:
    """`proofs wanted --json` → `prove-open --list` on another machine's copy → `proofs take`."""
    files = [dock.store(1), dock.store(2, "critical")]

    def proofs(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dock", "proofs", "--config", str(dock.config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert "2 to open" in proofs("wanted").stdout
    work = dock.directory / "wanted.json"
    work.write_text(proofs("wanted", "--json").stdout)
    pki = dock.pki
    holder = ["--cert", str(pki / "proof.pem"), "--key", str(pki / "proof.key"), "--root", str(pki / "root.pem")]
    vault = ["--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key"), "--out", str(dock.proofs)]
    assert main(["prove-open", "--list", str(work), "--store", str(dock.camera.spool), *holder, *vault]) == 0
    made = sorted(dock.proofs.iterdir())
    assert [decode_vault_proof(cms.parse_signed(one.read_bytes()).payload).name for one in made] == [
        one.name for one in files
    ]
    (dock.directory / "bad.p7s").write_bytes(b"nothing")
    taken = proofs("take", str(dock.directory / "bad.p7s"), *map(str, made), "--who", "Ms. Key")
    assert taken.returncode == 1
    assert taken.stderr.startswith("firsthand-dock proofs: bad.p7s:")
    assert taken.stdout.count("waits for its camera") == 2
    assert len(dock.documents()) == 2
    assert proofs("wanted").stdout == "Nothing waits for the vault's holder.\n"

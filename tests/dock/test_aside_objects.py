"""What a camera laid aside reaches the station, after the evidence, and is never taken for evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from dock_bench import SERIAL, Client, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from dock.agent.aside_objects import objects_in
from dock.config import load_station
from dock.errors import BadFileName
from dock.names import parse_aside
from dock.station.aside_objects import OBJECT_BYTES, AsideObjects
from dock.station.custody_index import entries_after
from dock.station.opening import open_station
from evidence.custody_ledger import CustodyEntry

Run = Callable[[str, Path], Process]
UNSIGNED = f"{SERIAL}-000001.evidence.unsigned-000000090.p7"
TAIL = f"{SERIAL}-000002.evidence.tail-4096-0123456789ab"


def kept(directory: Path) -> list[CustodyEntry]:
    """What the station's ledger tells of objects aside."""
    entries = (one.statement for _, one in entries_after(directory / "station/custody", None))
    return [one for one in entries if one.step == "aside_kept"]


@pytest.mark.requirement("R38")
def test_objects_aside_follow_the_evidence_get_no_receipt_and_stay_on_the_camera(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    file = camera.record(1)
    recorder.files = [file]
    aside = camera.spool / "aside"
    aside.mkdir()
    data = {UNSIGNED: b"\x30\x82" * 5000, TAIL: b"torn" * 100}
    for name, content in data.items():
        (aside / name).write_bytes(content)
    (aside / "something-else").write_bytes(b"no")
    (aside / f"{SERIAL}-000003.evidence.no-open").symlink_to("/etc/passwd")
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    shelf = tmp_path / f"station/aside/{SERIAL}"
    # The step is the last that the station does with an object: then the shelf holds it, and nothing half done.
    poll_until(lambda: len(kept(tmp_path)) == len(data), seconds=60, why=str(agent.log))
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == data
    assert list(recorder.receipts) == [file.name]
    assert {path.name for path in aside.iterdir()} >= set(data)
    assert not list((tmp_path / "station/store").glob("*unsigned*"))
    assert {step.name: step.sha256 for step in kept(tmp_path)} == {
        name: hashlib.sha256(content).hexdigest() for name, content in data.items()
    }
    # The same again changes nothing; other bytes under the name are kept beside; what is wrong is refused.
    client = Client(station.port, pki)
    assert client("PUT", f"/aside/{TAIL}", {}, data[TAIL])[0] == 201
    assert client("PUT", f"/aside/{TAIL}", {}, b"other")[0] == 201
    assert (shelf / f"{TAIL}.conflict-{hashlib.sha256(b'other').hexdigest()[:12]}").read_bytes() == b"other"
    assert (shelf / TAIL).read_bytes() == data[TAIL]
    assert client("PUT", f"/aside/{TAIL.replace(SERIAL, 'SIM-0002')}", {}, b"x")[0] == 403
    assert client("PUT", "/aside/passwd", {}, b"x")[0] == 400
    assert client("PUT", f"/aside/{TAIL}", {"Upload-Checksum": "sha256 " + "A" * 43 + "="}, b"x")[0] == 460
    assert Client(station.port, pki)("PUT", f"/aside/{TAIL}", {}, b"x" * (OBJECT_BYTES + 1))[0] == 413
    assert len(list(shelf.iterdir())) == 3


def test_an_object_whose_step_a_full_disk_kept_out_of_the_ledger_gets_it_when_it_comes_again(
    tmp_path: Path, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_station(load_station(write_station(tmp_path, pki))) as station:
        shelf = station.part(AsideObjects)
        with monkeypatch.context() as full:
            full.setattr(station.custody, "enter", Mock(side_effect=OSError("full")))
            with pytest.raises(OSError, match="full"):
                shelf._keep(SERIAL, TAIL, b"torn", hashlib.sha256(b"torn").hexdigest())
        assert kept(tmp_path) == []
        for data in (b"torn", b"torn", b"other", b"other"):
            shelf._keep(SERIAL, TAIL, data, hashlib.sha256(data).hexdigest())
    assert [one.sha256 for one in kept(tmp_path)] == [hashlib.sha256(data).hexdigest() for data in (b"torn", b"other")]


def test_names_of_what_lies_aside(tmp_path: Path) -> None:
    assert parse_aside(UNSIGNED) == parse_aside(TAIL) == SERIAL
    wrong = (f"{SERIAL}-000001.evidence", "../x.evidence.no-open", f"{UNSIGNED}.x", f"{SERIAL}-1.evidence.no-open")
    for name in wrong:
        with pytest.raises(BadFileName):
            parse_aside(name)
    assert objects_in(tmp_path / "none") == []

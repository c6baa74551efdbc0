"""Holds: what a court, a request or an inquiry needs is cleaned up by nobody, and unknown is held (R35)."""

from __future__ import annotations

import ast
import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dock_bench import Client, Process, poll_until, write_station

from dock.config import load_station
from dock.errors import BadHold
from dock.station.holds import Holds
from dock.station.opening import open_station
from evidence.commands import parse_command
from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.trust import Trust

Run = Callable[[str, Path], Process]
ID = "SIM-0001-000012"
NAME = f"{ID}.evidence"
BASE = Path(__file__).resolve().parents[2]


def dock(verb: str, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", verb, "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def with_desk(config: Path, pki: Path, who: str) -> Path:
    desk = f'[desk]\ncommand_certificate = "{pki}/{who}.pem"\ncommand_key = "{pki}/{who}.key"\n'
    config.write_text(config.read_text() + desk)
    return config


@contextmanager
def holds_of(config: Path) -> Iterator[Holds]:
    """The part of a station that nobody serves."""
    with open_station(load_station(config)) as station:
        holds = station.part(Holds)
        asyncio.run(holds.begin())
        yield holds


def ledger(tmp_path: Path, pki: Path) -> list[CustodyEntry]:
    read = Ledger(ledger_files(tmp_path / "station/custody"), Trust.load(pki / "root.pem"))
    return [one.statement for one in read.entries()]


@pytest.mark.requirement("R35", "R33")
def test_a_hold_is_set_at_the_running_station_told_to_the_camera_and_released(
    tmp_path: Path, pki: Path, run: Run
) -> None:
    config = with_desk(write_station(tmp_path, pki), pki, "supervisor")
    station = run("station", config)
    poll_until((tmp_path / "station/admin.sock").exists)
    said = dock("hold", config, ID, "--reason", "order 12", "--kind", "litigation", "--who", "Lt. Roe")
    assert said.returncode == 0, said.stderr
    assert "is on hold (litigation)" in said.stdout
    assert "Its camera is told at its next contact" in said.stdout
    client = Client(station.port, pki)
    (waiting,) = json.loads(client("GET", "/documents")[2])
    command, _ = parse_command(client("GET", f"/documents/{waiting['id']}")[2])
    assert (type(command).__name__, command.recording, command.reason) == ("Hold", ID, "order 12")
    assert client("POST", f"/documents/{waiting['id']}/answer", body=b"{}")[0] == 204
    assert json.loads(client("GET", "/documents")[2]) == []
    assert "litigation: order 12" in dock("holds", config).stdout

    said = dock("release", config, ID, "--reason", "the case is closed")
    assert "is not on hold here any more" in said.stdout, said.stderr
    (waiting,) = json.loads(client("GET", "/documents")[2])
    command, _ = parse_command(client("GET", f"/documents/{waiting['id']}")[2])
    assert (type(command).__name__, command.recording) == ("Release", ID)
    client("POST", f"/documents/{waiting['id']}/answer", body=b"{}")
    assert dock("holds", config).stdout == "No recording is on hold.\n"
    assert list((tmp_path / "station/holds").iterdir()) == []
    entries = ledger(tmp_path, pki)
    assert [one.step for one in entries] == ["hold", "hold_sent", "released", "release_sent"]
    assert entries[0].who.startswith("Lt. Roe (user ")
    assert entries[1].who == "camera SIM-0001"
    assert {one.name for one in entries} == {NAME}


@pytest.mark.requirement("R35")
def test_holds_stand_side_by_side_and_end_one_by_one(tmp_path: Path, pki: Path) -> None:
    with holds_of(write_station(tmp_path, pki)) as holds:
        holds.hold(ID, "litigation", "order 12", "user root")
        holds.hold(NAME, "request", "FOIA 7", "user root")
        with pytest.raises(BadHold, match="on hold already for that reason"):
            holds.hold(ID, "request", "FOIA 7", "user root")
        with pytest.raises(BadHold, match="name the one that ends"):
            holds.release(ID, None, "done", "user root")
        with pytest.raises(BadHold, match="has no internal hold"):
            holds.release(ID, "internal", "done", "user root")
        assert len(holds.release(ID, "request", "answered", "user root").holds) == 1
        assert holds.held(ID)
        assert holds.held(f"{NAME}.conflict-0123456789ab")
        assert holds.held("SIM-0001-log-000001.evidence"), "the log of its camera tells of it"
        assert not holds.held("SIM-0002-log-000001.evidence")
        holds.release(ID, None, "dismissed", "user root")
        assert not holds.held(ID)
        with pytest.raises(BadHold, match="is not on hold here"):
            holds.release(ID, None, "again", "user root")


@pytest.mark.requirement("R35")
def test_what_is_not_known_is_held(tmp_path: Path, pki: Path) -> None:
    config = write_station(tmp_path, pki)
    with open_station(load_station(config)) as station:
        holds = station.part(Holds)
        assert holds.held(ID), "the ledger was not asked yet"
        asyncio.run(holds.begin())
        assert not holds.held(ID)
        assert holds.held("../etc/passwd")
        (tmp_path / "station/holds" / f"{ID}.json").write_text("{")
        assert holds.held(ID)
        with pytest.raises(BadHold, match="stays on hold"):
            holds.release(ID, None, "?", "user root")
        shutil.rmtree(tmp_path / "station/holds")
        assert holds.held("SIM-0001-000099")


@pytest.mark.requirement("R35", "R40")
def test_holds_whose_files_were_lost_come_back_from_the_custody_ledger(tmp_path: Path, pki: Path) -> None:
    config = write_station(tmp_path, pki)
    with holds_of(config) as holds:
        holds.hold(ID, "litigation", "order 12", "Lt. Roe (user root)")
        holds.hold("SIM-0001-000013", "request", "FOIA 7", "user root")
        holds.release("SIM-0001-000013", None, "answered", "user root")
    shutil.rmtree(tmp_path / "station/holds")
    with holds_of(config) as holds:
        assert holds.held(ID)
        assert not holds.held("SIM-0001-000013")
        (record,) = holds.all()
        assert (record.holds[0].reason, record.holds[0].who) == ("order 12", "Lt. Roe (user root)")


@pytest.mark.requirement("R35")
def test_a_key_that_may_only_hold_leaves_the_cameras_own_hold_and_says_so(tmp_path: Path, pki: Path) -> None:
    config = with_desk(write_station(tmp_path, pki), pki, "checkout")
    assert "Its camera is told" in dock("hold", config, ID, "--reason", "order 12").stdout
    with holds_of(config) as holds:
        (document,) = holds.documents("SIM-0001")
        assert holds.documents("SIM-0002") == []
        holds.answered("SIM-0001", document, None)
    said = dock("release", config, ID, "--reason", "dismissed")
    assert "Its camera keeps its own hold" in said.stdout, said.stderr
    with holds_of(config) as holds:
        assert holds.documents("SIM-0001") == []


def test_a_camera_that_refuses_is_asked_again_with_a_newer_command_but_not_forever(tmp_path: Path, pki: Path) -> None:
    with holds_of(with_desk(write_station(tmp_path, pki), pki, "checkout")) as holds:
        holds.hold(ID, "request", "FOIA 7", "user root")
        sequences = []
        for _ in range(5):
            (document,) = holds.documents("SIM-0001")
            sequences.append(parse_command(document.data)[0].sequence)
            holds.answered("SIM-0001", document, "an older command")
        assert sequences == sorted(set(sequences))
        assert holds.documents("SIM-0001") == []
        assert holds.held(ID)
    assert [one.step for one in ledger(tmp_path, pki)] == ["hold", *["hold_refused"] * 5]


@pytest.mark.parametrize("name", ["", "12", "SIM-0001-log-000001", "a/b", "SIM-0001-000012.mp4"])
def test_what_is_no_recording_is_refused(tmp_path: Path, pki: Path, name: str) -> None:
    with holds_of(write_station(tmp_path, pki)) as holds, pytest.raises(BadHold):
        holds.hold(name, "request", "FOIA 7", "user root")


def texts(node: ast.AST) -> set[str]:
    constants = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    return {one.lower() for one in constants if isinstance(one, str)}


@pytest.mark.requirement("R34", "R40")
def test_no_route_and_no_verb_of_the_dock_deletes_evidence() -> None:
    """No bulk delete, and no other: there is no such word in what people, cameras or pages may ask."""
    words = {"delete", "purge", "erase", "destroy", "wipe", "remove"}
    found: list[str] = []
    for path in (BASE / "dock").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Route", "Verb"):
                said = {
                    one.value.lower()
                    for one in ast.walk(node)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
                asked = {one for one in said if one in words or any(f"/{word}" in one for word in words)}
                found += [f"{path.name}:{node.lineno} {one}" for one in asked]
            if isinstance(node, ast.FunctionDef) and node.name == "admin_verbs":
                keys = {
                    one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
                found += [f"{path.name}: {key}" for key in keys if set(key.split("_")) & words]
    assert not found

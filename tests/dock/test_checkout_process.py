"""Checkout end to end: a real station, its commands, a tag on a serial reader, and the camera's documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk_bench import PIN, TAG, bay, obey, put_in, write_desk
from dock_bench import SERIAL, Client, Process

from evidence.commands import Assign
from evidence.custody_ledger import Ledger, ledger_files
from evidence.trust import Trust

Run = Callable[[str, Path], Process]


def dock(file: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", arguments[0], "--config", str(file), *arguments[1:]]
    return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def file(tmp_path: Path, pki: Path) -> Path:
    config = write_desk(tmp_path, pki)
    put_in(tmp_path / "station", bay(SERIAL))
    put_in(tmp_path / "station", bay("CAM-2", self_test="block", do_not_use=("sensor",)))
    return config


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A serial line: our end, and the name of the other."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


@pytest.mark.requirement("R8", "R9", "R32")
def test_an_officer_holds_a_tag_to_the_reader_and_the_camera_is_told_who_it_is(
    file: Path, pki: Path, run: Run, reader: tuple[int, str]
) -> None:
    assert dock(file, "people", "add", "4711", "--name", "Ada Olsen", "--role", "officer").returncode == 0
    assert dock(file, "people", "train", "4711", "2099-12-31").returncode == 0
    assert dock(file, "people", "set-tag", "4711", said=f"{TAG}\n").returncode == 0
    assert dock(file, "people", "set-pin", "4711", said=f"{PIN}\n").returncode == 0
    station = run("station", file)
    rows = json.loads(dock(file, "bays", "--json").stdout)
    assert [(one["camera"], one["ready"]) for one in rows] == [(SERIAL, True), ("CAM-2", False)]

    wrong = dock(file, "checkout", "--officer", "4711", "--pin-stdin", said="0000\n")
    assert (wrong.returncode, "the PIN is wrong" in wrong.stderr) == (1, True)
    refused = dock(file, "checkout", "--officer", "4711", "--pin-stdin", "--camera", "CAM-2", said=f"{PIN}\n")
    assert refused.returncode == 1
    assert f"CAM-2 must not be used: sensor. Ready: {SERIAL}" in refused.stderr

    ours, port = reader
    command = [sys.executable, "-m", "dock", "reader", "--config", str(file), "--device", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert "ready" in process.stdout.readline()
            os.write(ours, b"noise\r\n\x0204 A2 1B 9C 7D 00 80\r\n\x03")
            assert process.stdout.readline() == f"Ada Olsen: take {SERIAL}\n"
            os.write(ours, f"{TAG}\n".encode())
            assert "no camera: Ada Olsen has SIM-0001 already" in process.stdout.readline()
        finally:
            process.kill()

    camera = Client(station.port, pki)
    (waiting,) = json.loads(camera("GET", "/documents")[2])
    assert waiting["kind"] == "command"
    _, _, document = camera("GET", f"/documents/{waiting['id']}")
    assert isinstance(assign := obey(document, pki), Assign)
    assert (assign.serial, assign.officer, assign.identified_by) == (SERIAL, "4711", "rfid")
    assert camera("POST", f"/documents/{waiting['id']}/answer", body=b"{}")[0] == 204
    assert json.loads(camera("GET", "/documents")[2]) == []

    station.kill()  # a power cut forgets nobody
    again = run("station", file)
    taken = dock(file, "checkout", "--officer", "4711")
    assert f"has {SERIAL} already" in taken.stderr
    assert dock(file, "check-in", SERIAL).returncode == 0
    assert again.stop() == 0
    ledger = Ledger(ledger_files(file.parent / "station" / "custody"), Trust.load(pki / "root.pem"))
    told = [one.statement for one in ledger.entries()]
    assert ledger.findings == []
    assert [one.step for one in told if one.serial == SERIAL] == ["checkout", "assigned", "checkin"]

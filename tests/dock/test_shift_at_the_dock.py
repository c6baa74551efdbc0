"""A shift with a real recorder, its agent and a station: checked out, recorded, docked, corrected (R5, R7, R8, R33)."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from desk_bench import write_desk
from dock_bench import SERIAL, Process, poll_until, write_agent
from weed import free_ports

sys.path.append(str(Path(__file__).resolve().parents[1] / "device"))
from camera_bench import DOCK, LIGHTBAR, POLICY, CameraBench, sign_profile
from people_bench import logged_details, metadata_of, signed_command

from evidence.custody_ledger import Ledger, ledger_files
from evidence.trust import Trust

pytestmark = pytest.mark.slow


@pytest.fixture
def camera(pki: Path) -> Iterator[CameraBench]:
    directory = Path(tempfile.mkdtemp(prefix="bench-"))  # a Unix socket's path has at most 107 bytes
    bench = CameraBench(directory, pki, battery_percent=96)
    yield bench
    bench.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.requirement("R5", "R7", "R8", "R10", "R33")
def test_a_shift_from_checkout_to_the_correction_of_the_officer(
    tmp_path: Path, pki: Path, camera: CameraBench, run: Callable[[str, Path], Process]
) -> None:
    (tmp_path / "profile.p7s").write_bytes(sign_profile(pki, {**POLICY, "version": 2}))
    (port,) = free_ports(1)
    keys = f'certificate = "{pki}/station-tls.pem"\nkey = "{pki}/station-tls.key"'
    page = f"[page]\nlisten_port = {port}\nwall = true\n{keys}"
    file = write_desk(tmp_path, pki, f'profile = "profile.p7s"\ntraining = "warn"\n{page}')
    context = ssl.create_default_context(cafile=str(pki / "tls-ca.pem"))

    def wall() -> str:
        return httpx.get(f"https://localhost:{port}/wall", verify=context, timeout=60).text

    def dock(*arguments: str) -> str:
        command = [sys.executable, "-m", "dock", arguments[0], "--config", str(file), *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(dock("bays", "--json") or "[]")
        return found

    for name in ("4711", "4712"):
        dock("people", "add", name, "--name", f"Officer {name}", "--role", "officer")
    camera.start()
    camera.line(DOCK, active=True)
    station = run("station", file)
    config = write_agent(tmp_path, pki, port=station.port, offload="")
    config.write_text(config.read_text().replace("recorder.sock", str(camera.socket)))
    run("agent", config)

    poll_until(lambda: camera.status().profile_next == 2)
    poll_until(lambda: any(one["ready"] for one in rows()), why="the bays show a camera that is ready")
    poll_until(lambda: SERIAL in wall() and "Ready" in wall(), why="the page on the wall says it too")
    assert f"take {SERIAL}" in dock("checkout", "--officer", "4711", "--shift-h", "8")
    poll_until(lambda: camera.status().assigned)
    told = tmp_path / "station" / "bays" / f"{SERIAL}.json"
    poll_until(lambda: json.loads(told.read_bytes())["report"]["status"].get("assigned"))
    camera.line(DOCK, active=False)
    camera.wait("undocked", timeout_s=60)
    poll_until(lambda: "Away" in wall(), why="and that it is away")
    stem = camera.trigger(LIGHTBAR)
    camera.fragments(1)
    camera.line(LIGHTBAR, active=False)
    camera.hold_to_stop()
    (opening,) = [one for one in metadata_of(camera, camera.path(stem)) if one.get("part") == "opening"]
    assert (opening["officer"], opening["officer_identified_by"]) == ("4711", "none")
    camera.line(DOCK, active=True)
    camera.wait("session_ended", "docked", timeout_s=60)
    poll_until(lambda: [one["officer"] for one in rows()] == [None], why="docking is a check-in")

    correction = tmp_path / "correction.p7s"
    fields = {"recording": stem, "officer": "4712", "reason": "the cameras were swapped at roll call"}
    correction.write_bytes(signed_command(pki, "correct_officer", **fields))
    assert f"correct_officer of SUP-1 waits for {SERIAL}" in dock("supervise", str(correction))
    camera.wait("labelled", "officer_corrected", timeout_s=60)
    refused = signed_command(pki, "assign", by="checkout", officer="4712", identified_by="none")
    correction.write_bytes(refused)
    assert dock("supervise", str(correction)) == "", "an assignment is the desk's own"

    def steps() -> list[str]:
        ledger = Ledger(ledger_files(tmp_path / "station" / "custody"), Trust.load(pki / "root.pem"))
        return [one.statement.step for one in ledger.entries() if one.statement.serial == SERIAL]

    wanted = ["profile_given", "checkout", "assigned", "checkin", "command_handed", "command_taken"]
    poll_until(lambda: [one for one in steps() if one in wanted] == wanted, why=str(steps()))
    assert camera.stop() == 0
    (label,) = [one for one in logged_details(camera, "labelled") if one.get("officer") == "4712"]
    assert label["reason"] == "the cameras were swapped at roll call"

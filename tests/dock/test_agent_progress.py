"""How far the offload is: the sums, the recorder's ear, the station's book of bays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dock_bench import SERIAL, Client, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from dock.agent.permission import ALL, Permission
from dock.agent.progress import Progress
from dock.agent.report import encode
from dock.bay_report import REPORT_BYTES, BayReport
from dock.mqtt.messages import state_data
from dock.station.bay_reports import decode_report
from dock.station.custody_index import entries_after
from evidence.handover import SpoolFile, Status
from evidence.requests import Offloading

Run = Callable[[str, Path], Process]
DOCK = Permission(ALL, "dock")


def spool_file(number: int, size: int) -> SpoolFile:
    return SpoolFile(
        name=f"{SERIAL}-{number:06d}.evidence",
        stream="recording",
        number=number,
        bytes=size,
        close_hash=f"{number:064d}",
        upload_class="normal",
        state="waiting",
    )


def status(**more: Any) -> Status:
    values: dict[str, Any] = {
        "serial": SERIAL,
        "model": "bench",
        "firmware": "0",
        "state": "docked",
        "docked": True,
        "degraded": False,
        "uptime_s": 1,
    }
    return Status(**{**values, **more})


@pytest.mark.requirement("R30")
def test_bytes_speed_and_minutes_left_are_of_the_last_half_minute() -> None:
    now = [0.0]
    progress = Progress(clock=lambda: now[0])
    first, second = spool_file(1, 600_000_000), spool_file(2, 600_000_000)
    progress.listed([first, second])
    assert progress.now(DOCK) == Offloading(files=2, bytes=1_200_000_000, over="dock")
    progress.reached(first, 100_000_000)  # there before we came: no speed of ours
    for second_s in range(1, 11):
        now[0] = float(second_s)
        progress.reached(first, 100_000_000 + second_s * 1_000_000)
    told = progress.now(DOCK)
    assert (told.files, told.bytes, told.current) == (2, 1_090_000_000, first.name)
    assert 1_000_000 <= told.bytes_per_s <= 1_200_000
    assert told.minutes_left == -(-told.bytes // (60 * told.bytes_per_s))
    now[0] = 41.0
    assert progress.now(DOCK).bytes_per_s == 0
    assert progress.now(DOCK).minutes_left is None
    progress.let_go(first)
    progress.done(first)
    assert progress.now(DOCK) == Offloading(files=1, bytes=600_000_000, over="dock")
    assert progress.now(DOCK, settled={(second.name, second.close_hash)}).bytes == 0


def test_what_keeps_it_from_moving_is_told_in_one_sentence() -> None:
    progress = Progress()
    progress.listed([spool_file(1, 10)])
    assert progress.now(Permission(frozenset(), why="the camera is not docked")).trouble == "the camera is not docked"
    progress.trouble = "x" * 1000
    assert len(progress.now(DOCK).trouble or "") == 128
    progress.listed([])
    assert progress.now(DOCK).trouble is None


@pytest.mark.requirement("R30", "R39")
def test_recorder_and_station_are_told_and_a_file_that_stays_is_entered_in_the_ledger(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    bad, good = camera.record(1), camera.record(2)
    path = camera.spool / bad.name
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    recorder.files = [bad, good]
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    book = tmp_path / f"station/bays/{SERIAL}.json"
    poll_until(lambda: len(recorder.receipts) == 2, why=str(agent.log))
    # What the agent tells its recorder: one file stays, and it is the only one.
    poll_until(lambda: recorder.offloading and recorder.offloading[-1].files == 1, why=str(agent.log))
    recorder.notify("docked")
    report = poll_until(lambda: _report_with_kept(book), seconds=40, why="no report with the kept file")
    assert report.status.serial == SERIAL
    assert [(one.name, one.verdict) for one in report.kept] == [(bad.name, "not_valid")]
    assert abs(report.clock_offset_ms) < 5000
    ledger = tmp_path / "station/custody"
    entries = poll_until(
        lambda: [one.statement for _, one in entries_after(ledger, None) if one.statement.step == "kept_on_camera"]
    )
    assert entries[0].name == bad.name
    assert len(entries) == 1
    # Another camera's status, words that are none, and too many of them are refused, and change nothing.
    client = Client(station.port, pki)
    other = msgspec.structs.replace(report, status=status(serial="SIM-0002"))
    kept = book.read_bytes()
    for body, refusal in (
        (msgspec.json.encode(other), 403),
        (b"{}", 400),
        (b'{"status":' * 10000, 413),
        (b"[" * 5000, 400),
    ):
        assert client("POST", "/report", {}, body)[0] == refusal
    assert json.loads(kept)["serial"] == json.loads(book.read_bytes())["serial"] == SERIAL


def _report_with_kept(book: Path) -> BayReport | None:
    if not book.exists():
        return None
    report = msgspec.convert(json.loads(book.read_bytes())["report"], BayReport)
    return report if report.kept else None


def test_a_report_that_is_too_long_leaves_its_lists_behind() -> None:
    rows = tuple({"id": number, "text": "x" * 2000} for number in range(64))
    report = BayReport(status=status(), agent="agent", queue=rows)
    assert decode_report(encode(report)) == BayReport(status=status(), agent="agent")
    with pytest.raises(ValueError, match=f"at most {REPORT_BYTES}"):
        decode_report(msgspec.json.encode(report))


def test_mqtt_carries_the_progress_with_the_state() -> None:
    told = Offloading(files=3, bytes=10, over="dock")
    assert state_data(status(offloading=told), {})["offloading"] == {"files": 3, "bytes": 10, "over": "dock"}

"""The day's reconciliation (R38): what a camera's log names is in the store, whole, or somebody is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from evidence.custody_ledger import Ledger, ledger_files

Run = Callable[[str, Path], Process]


def reconcile(config: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "dock", "reconcile", "--config", str(config), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 2), done.stderr
    return done.returncode, json.loads(done.stdout)


def told(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["kind"], one["about"]) for one in report["discrepancies"]}


@pytest.mark.requirement("R38")
def test_what_is_missing_different_or_extra_in_the_store_is_told_each_day(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recordings = [camera.record(number) for number in (1, 2, 3, 5)]
    unnamed = camera.record(4)
    segment = camera.log(1, recordings)
    recorder.files = [*recordings, unnamed, segment]
    config = write_station(tmp_path, pki)
    station = run("station", config)
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: len(recorder.receipts) == 6, why=str(agent.log))
    agent.stop()

    status, report = reconcile(config)
    assert status == 2
    assert told(report) == {("extra", "recording 4")}, "the log names 5, and never named 4"
    (count,) = report["cameras"]
    assert (count["serial"], count["recordings"], count["segments"]) == (SERIAL, 5, 1)
    assert count["proven_until"], "the segment's receipt is a witness"

    store = tmp_path / "station/store"
    lost, cut, rotten = (f"{SERIAL}-{number:06d}.evidence" for number in (1, 2, 3))
    (store / lost).unlink()
    (store / f"{lost}.receipt.p7s").unlink()
    whole = (store / cut).read_bytes()
    (store / cut).write_bytes(whole[:-1])
    bytes_ = bytearray((store / rotten).read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    (store / rotten).write_bytes(bytes_)
    status, report = reconcile(config, "--full")
    assert status == 2
    assert {("missing", "recording 1"), ("different", cut), ("different", rotten)} <= told(report)
    assert report["digests"] >= 4

    # The station keeps the report, its ledger says that there is one, and its log alarms.
    (kept,) = (tmp_path / "station/reconciled").glob("*.json")
    assert json.loads(kept.read_bytes())["discrepancies"] == report["discrepancies"]
    entries = list(Ledger(ledger_files(tmp_path / "station/custody"), None).entries())
    newest = [one.statement for one in entries if one.statement.step == "reconciled"][-1]
    assert newest.details["missing"] == "1"
    assert "CRITICAL" in station.log()
    assert "reconciliation: missing" in station.log()


@pytest.mark.requirement("R38")
def test_a_whole_store_has_no_discrepancy_and_strangers_in_it_are_told(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recordings = [camera.record(1), camera.record(2)]
    recorder.files = [*recordings, camera.log(1, recordings)]
    config = write_station(tmp_path, pki)
    station = run("station", config)
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: len(recorder.receipts) == 3, why=str(agent.log))
    agent.stop()
    assert reconcile(config, "--full")[0] == 0
    station.stop()
    assert reconcile(config)[0] == 0, "without a running station too"
    (tmp_path / "station/store" / f"{SERIAL}-000009.evidence").write_bytes(b"somebody's")
    status, report = reconcile(config)
    assert status == 2
    assert ("not_valid", f"{SERIAL}-000009.evidence") in told(report)

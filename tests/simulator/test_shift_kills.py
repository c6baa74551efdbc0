"""Somebody pulls the programs down in the middle of a shift: they come back, and nothing is lost or deleted early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from real_time import comes_first

from simulator.read_frames import read_frames
from simulator.scenario import find_scenario


def process_of(module: str, settings: Path) -> int | None:
    """The process that runs one of our programs with these settings."""
    wanted = ["-m", *module.split(), "--config", str(settings)]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if any(words[index : index + len(wanted)] == wanted for index in range(len(words))):
                return int(entry.name)
    return None


def kill_when(log: Path, text: str, victims: list[tuple[str, Path]], within_s: float) -> None:
    """SIGKILL to each victim as soon as the run's output says `text`."""
    deadline_s = time.monotonic() + within_s
    while text not in (said := log.read_text(encoding="utf-8", errors="replace")):  # its end may be half a character
        assert time.monotonic() < deadline_s, said
        time.sleep(0.02)
    for module, settings in victims:
        pid = process_of(module, settings)
        assert pid is not None, module
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_programs_come_back_and_the_shift_ends_well(tmp_path: Path) -> None:
    out, log, scenario = tmp_path / "run", tmp_path / "log.txt", tmp_path / "killed.toml"
    # What the camera recorded when it was killed is a recording of its own: one more, without the seconds before it.
    words = find_scenario("quick").read_text(encoding="utf-8").replace("expect 3 recordings", "expect 4 recordings")
    for only_undisturbed in ("expect every recording has pre-event at least 2 s\n", "expect no gap\n"):
        assert only_undisturbed in words
        words = words.replace(only_undisturbed, "")
    scenario.write_text(words, encoding="utf-8")
    with log.open("wb") as said, comes_first():
        shift = subprocess.Popen(
            [sys.executable, "-m", "simulator", "shift", str(scenario), "--out", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            camera = ("device run", out / "camera" / "device.toml")
            agent = ("dock agent", out / "camera" / "agent.toml")
            station = ("simulator.lying_station", out / "station" / "station.toml")
            kill_when(log, "recording SIM-0001-000001 begins", [camera], 300)
            kill_when(log, "camera: is docked", [agent, station], 300)
            assert shift.wait(600) == 0, log.read_text(encoding="utf-8")
        finally:
            if shift.poll() is None:
                shift.terminate()
                shift.wait(240)
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert sorted(one["name"] for one in report["restarts"]) == ["agent", "device", "station"]
    assert report["ok"]
    triggers = [one["triggers"] for one in report["recordings"]]
    assert triggers[:2] == [["record_button"], ["resumed_after_restart"]]
    assert all(one["verified"] and one["receipt"] and one["deleted_on_camera"] for one in report["recordings"])
    for one in report["recordings"]:
        frames = [reading.frame for reading in read_frames(out / one["mp4"])]
        assert frames == list(range(frames[0], frames[0] + one["video_frames"]))

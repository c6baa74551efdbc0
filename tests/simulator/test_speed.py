"""A shift with all clocks N times as fast: the same programs, the same recordings, sooner."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_time import comes_first

from hal import program_time
from simulator.cli import main
from simulator.processes import python_module
from simulator.scaled_time import ScaledLoop, ScaledPolicy, ScaledStage, ScaledTime, scaled_time
from simulator.scenario import find_scenario

SECOND_NS = 1_000_000_000
ASK = """
import asyncio, json
from hal import program_time
async def told():
    began_s, before_ns = asyncio.get_running_loop().time(), program_time.boottime_ns()
    await asyncio.sleep(30)
    ended_s, after_ns = asyncio.get_running_loop().time(), program_time.boottime_ns()
    print(json.dumps([ended_s - began_s, after_ns - before_ns, program_time.utc_ns(), __name__]))
asyncio.run(told())
"""


def test_an_hour_of_the_programs_time_is_seconds_of_this_machine() -> None:
    machine = program_time.MachineTime()
    scaled = ScaledTime.from_now(1000)
    before_ns = machine.boottime_ns()
    with scaled_time(scaled), asyncio.Runner(loop_factory=lambda: ScaledLoop(scaled)) as runner:
        began_ns, began_utc_ns = program_time.boottime_ns(), program_time.utc_ns()
        runner.run(asyncio.sleep(3600))
        passed_ns, passed_utc_ns = program_time.boottime_ns() - began_ns, program_time.utc_ns() - began_utc_ns
    took_ns = machine.boottime_ns() - before_ns
    assert passed_ns >= 3600 * SECOND_NS
    assert passed_utc_ns >= 3600 * SECOND_NS
    assert took_ns < passed_ns / 100


def test_threads_wait_in_the_programs_time_too() -> None:
    scaled = ScaledTime.from_now(1000)
    before_ns = program_time.MachineTime().boottime_ns()
    stage = ScaledStage(scaled)
    began_s = stage.now_s()
    scaled.sleep(100)
    stage.sleep(100)
    assert stage.now_s() - began_s >= 200
    assert program_time.MachineTime().boottime_ns() - before_ns < (stage.now_s() - began_s) * SECOND_NS / 100


def test_processes_that_are_told_the_same_beginning_have_the_same_clocks() -> None:
    one = ScaledTime.from_now(8)
    other = ScaledTime(one.speed, one.began_ns, one.began_utc_ns)
    first, then, at_last = one.boottime_ns(), other.boottime_ns(), one.boottime_ns()
    assert first <= then <= at_last


def test_every_loop_that_a_program_makes_is_a_fast_one() -> None:
    loop = ScaledPolicy(ScaledTime.from_now(8)).new_event_loop()
    try:
        assert isinstance(loop, ScaledLoop)
    finally:
        loop.close()


def test_a_program_started_at_a_speed_knows_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(ASK)
    scaled = ScaledTime.from_now(16)
    command = scaled.command("asked")
    where = os.pathsep.join([str(tmp_path), *(one for one in sys.path if one)])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": where}, capture_output=True, text=True, check=True)
    loop_s, boottime_ns, utc_ns, name = json.loads(done.stdout)
    assert loop_s >= 30
    assert boottime_ns >= 30 * SECOND_NS
    assert scaled.began_utc_ns < utc_ns <= scaled.utc_ns()
    assert name == "__main__"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--speed", "17"], "number from 1 to 16"),
        (["--speed", "0.5"], "number from 1 to 16"),
        (["--speed", "nan"], "number from 1 to 16"),
        (["--speed", "4", "--deterministic"], "leave out --speed"),
    ],
)
def test_a_speed_that_cannot_be_played_is_refused(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shift", "quick", "--out", str(tmp_path / "run"), *words]) == 64
    assert sentence in capsys.readouterr().err


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of the quick shift, three times as fast; fingers are given the time that a busy machine needs."""
    directory = tmp_path_factory.mktemp("fast")
    quick, slow_fingers = find_scenario("quick").read_text(encoding="utf-8"), "[profile]\ndouble_press_ms = 2000\n"
    (directory / "quick.toml").write_text(quick.replace("[profile]\n", slow_fingers), encoding="utf-8")
    words = ["shift", str(directory / "quick.toml"), "--speed", "3", "--json", "--out", str(directory / "run")]
    command = python_module("simulator", *words)
    with comes_first():
        done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    moments = re.findall(
        r"^ *(\d+):(\d\d\.\d\d) +\w+ +(.*)$", (directory / "run" / "timeline.txt").read_text(), re.MULTILINE
    )
    return report | {"moments": {text: 60 * int(minutes) + float(seconds) for minutes, seconds, text in moments}}


@pytest.mark.requirement("R1", "R3")
def test_a_fast_shift_records_what_a_slow_one_does(fast: dict[str, Any]) -> None:
    assert fast["ok"], fast["problems"]
    recordings = fast["recordings"]
    assert [one["triggers"] for one in recordings] == [["record_button"], ["lightbar"], ["pursuit"]]
    for one, deed in zip(recordings, ("press record button twice", "light bar on", "pursuit on"), strict=True):
        assert one["pre_event_s"] == pytest.approx(3.2, abs=1.0)
        assert one["duration_s"] > 6.0, "seconds of the camera, as in real time"
        closed_s = fast["moments"][f"recording {one['id']} is closed (record button)"]
        assert one["duration_s"] - one["pre_event_s"] < closed_s - fast["moments"][f"> {deed}"] + 1, "and of the world"

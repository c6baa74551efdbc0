"""The whole shift, end to end, with the real processes: what a stranger sees after `make run`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_time import comes_first

from evidence.trust import Trust
from evidence.verify import verify_file
from simulator.read_frames import FrameReading, read_frames

PRE_EVENT_S = 3
FRAME_RATE = 15
pytestmark = pytest.mark.timeout(1800)
GPX_POINT = re.compile(r'<trkpt lat="(-?[0-9]+\.[0-9]{6,})" lon="(-?[0-9]+\.[0-9]{6,})"')


def bare_environment(home: Path) -> dict[str, str]:
    """Only HOME and PATH, as issue 2 wants it."""
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


def play(out: Path, home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """`firsthand-sim shift quick` with no terminal and no standard input."""
    with comes_first():
        return subprocess.run(
            [sys.executable, "-m", "simulator", "shift", "quick", "--out", str(out), *more],
            env=bare_environment(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )


@dataclass(frozen=True)
class Run:
    out: Path
    home: Path
    done: subprocess.CompletedProcess[str]

    @property
    def report(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return values


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The quick scenario, played once."""
    home = tmp_path_factory.mktemp("home")
    out = tmp_path_factory.mktemp("shift") / "run"
    return Run(out, home, play(out, home))


@pytest.fixture(scope="module")
def strips(run: Run) -> dict[str, list[FrameReading]]:
    """Every frame of every exported video."""
    return {one["id"]: list(read_frames(run.out / one["mp4"])) for one in run.report["recordings"]}


def test_it_ends_well_and_says_so(run: Run) -> None:
    assert run.done.returncode == 0, run.done.stdout + run.done.stderr
    assert "OK: everything is verified" in run.done.stdout
    assert "\x1b" not in run.done.stdout


def test_the_layout_is_the_agreed_one(run: Run) -> None:
    for name in ("pki/root.pem", "pki/vault.pem", "pki/vault.key", "camera/device.toml", "camera/profile.p7s"):
        assert (run.out / name).is_file()
    store = run.out / "station" / "store"
    recordings = sorted(path for path in store.glob("*.evidence") if "-log-" not in path.name)
    logs = sorted(store.glob("*-log-*.evidence"))
    assert len(recordings) == 3
    assert logs
    for path in (*recordings, *logs):
        assert path.with_name(path.name + ".receipt.p7s").is_file()
        assert path.stat().st_size < 6_000_000
    for recording in recordings:
        for kind in ("mp4", "gpx", "json"):
            assert (run.out / "export" / f"{recording.stem}.{kind}").is_file()
    assert {path.name for path in (run.out / "logs").iterdir()} >= {
        "device.log", "agent.log", "station.log", "broker.log"
    }  # fmt: skip


def test_every_file_verifies_and_is_closed(run: Run) -> None:
    trust = Trust.load(run.out / "pki" / "root.pem")
    paths = [*(run.out / "station" / "store").glob("*.evidence"), *(run.out / "camera" / "spool").glob("*.evidence")]
    for path in paths:
        report = verify_file(path, trust)
        assert report.valid, (path.name, report.findings)
        assert report.closed is not None
        assert report.recovered is None


def test_no_program_ended_badly_or_hid_an_exception_in_its_log(run: Run) -> None:
    assert run.report["exit_codes"] == {"device": 0, "agent": 0, "station": 0, "broker": 0}
    for path in (run.out / "logs").glob("*.log"):
        assert "Traceback" not in path.read_text(encoding="utf-8", errors="replace"), path.name


def test_the_report_has_a_recording_by_each_trigger(run: Run) -> None:
    report = run.report
    assert report["ok"] is True
    assert report["self_test"]["verdict"] in ("pass", "warn")
    assert {check["name"] for check in report["self_test"]["checks"]} >= {"sensor", "encoder", "storage", "battery"}
    assert [one["triggers"] for one in report["recordings"]] == [["record_button"], ["lightbar"], ["pursuit"]]
    names = [f"{one['id']}.evidence" for one in report["recordings"]]
    assert report["proofs"] == [names[0], names[2]], "the vault's holder opened the first and the critical one"
    for one in report["recordings"]:
        assert one["verified"]
        assert one["receipt"]
        assert one["deleted_on_camera"]
        assert one["fragments"] >= one["duration_s"] - 1
        assert PRE_EVENT_S - 1 <= one["pre_event_s"] <= PRE_EVENT_S + 1
        assert one["duration_s"] > one["pre_event_s"] + 1
        assert abs(one["video_frames"] - one["duration_s"] * FRAME_RATE) <= 2


@pytest.mark.requirement("R14", "R22")
def test_no_frame_is_missing_and_the_ring_is_in_the_video(run: Run, strips: dict[str, list[FrameReading]]) -> None:
    for one in run.report["recordings"]:
        frames = strips[one["id"]]
        assert len(frames) == one["video_frames"]
        assert all(frame.ok for frame in frames)
        numbers = [frame.frame for frame in frames]
        first = numbers[0]
        assert first is not None
        assert numbers == list(range(first, first + len(frames)))
        # What the strip says about time is what the signed statements say.
        first_ms, last_ms = frames[0].ms, frames[-1].ms
        assert first_ms is not None
        assert last_ms is not None
        shown_s = (last_ms - first_ms) % 86_400_000 / 1000
        assert abs(shown_s + 1 / FRAME_RATE - one["duration_s"]) < 0.1


def test_the_light_bar_going_off_does_not_stop_the_recording_r15(run: Run) -> None:
    lightbar = next(one for one in run.report["recordings"] if one["triggers"] == ["lightbar"])
    assert lightbar["duration_s"] - lightbar["pre_event_s"] > 0.5 + 3  # off after 0.5 s; stopped by a hold of 3 s


def test_gpx_has_the_receivers_points(run: Run) -> None:
    for one in run.report["recordings"]:
        points = GPX_POINT.findall((run.out / one["gpx"]).read_text(encoding="utf-8"))
        assert len(points) == one["gps_fixes"]
        assert points
        for latitude, longitude in points:
            assert 41.5 < float(latitude) < 41.6
            assert -72.9 < float(longitude) < -72.7


def test_ffmpeg_decodes_every_video_without_a_word(run: Run, tool: Callable[[str], str]) -> None:
    for one in run.report["recordings"]:
        decoded = subprocess.run(
            [tool("ffmpeg"), "-v", "error", "-i", str(run.out / one["mp4"]), "-f", "null", "-"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (decoded.returncode, decoded.stderr) == (0, "")


@pytest.mark.requirement("R1")
def test_telemetry_reached_the_broker_without_a_position(run: Run) -> None:
    said = (run.out / "logs" / "broker.log").read_text(encoding="utf-8")
    assert "fleet/v1/SIM-0001/" in said
    times = re.compile(r"\d\d:\d\d:\d\d\.\d+")
    assert "41.5" not in times.sub("", said), "a second of the clock may look like a latitude"


def test_a_second_run_into_the_same_directory_works_and_prints_its_report(run: Run, tmp_path: Path) -> None:
    before = (run.out / "pki" / "root.pem").read_bytes()
    copy = tmp_path / "again"
    run.out.rename(copy)  # other tests look at the first run
    try:
        done = play(copy, run.home, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["ok"] is True
        assert (copy / "pki" / "root.pem").read_bytes() != before
    finally:
        copy.rename(run.out)


def test_a_foreign_directory_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = play(tmp_path, tmp_path)
    assert done.returncode == 64
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "arguments",
    [["shift"], ["shfit"], [], ["shift", "nope", "--out", "x"], ["shift", "--out", "x", "--clip", "/no/such/file"],
     ["shift", "--out", "x", "--nmea", "/no/such/file"], ["shift", "--out", "x", "--seed", "-1"], ["read-frames"]],
)  # fmt: skip
def test_wrong_usage_is_one_sentence_and_exit_code_64(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "simulator", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def children_of(out: Path) -> list[int]:
    """Processes that work in the directory of a run."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cwd").readlink() == out / "logs":
                    found.append(int(process.name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", "shift", "quick", "--out", str(out)],
        env=bare_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "press record button twice" in line:
                    break
            card = (out / "camera").is_mount()  # a program of its own, where the simulated card can be mounted
            assert len(children_of(out)) == 5 + card  # camera, agent, station, broker, network
        finally:
            process.send_signal(number)
        assert process.wait(300) == 128 + number
    deadline_s = time.monotonic() + 120
    while children_of(out) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert children_of(out) == []


@pytest.mark.slow
def test_a_real_clip_and_a_real_receiver(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    log = shared_data("neo-m8n.log")
    done = play(tmp_path / "run", tmp_path, "--clip", str(shared_data("bikes.mp4")), "--nmea", str(log))
    assert done.returncode == 0, done.stdout + done.stderr
    known = set()
    for line in shared_data("neo-m8n.log.chk").read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            if told.get("class") == "TPV" and "lat" in told:
                known.add((round(told["lat"], 7), round(told["lon"], 7)))
    points = [
        (round(float(latitude), 7), round(float(longitude), 7))
        for gpx in sorted((tmp_path / "run" / "export").glob("*.gpx"))
        for latitude, longitude in GPX_POINT.findall(gpx.read_text(encoding="utf-8"))
    ]
    assert points
    assert (0.0, 0.0) not in points
    assert set(points) <= known

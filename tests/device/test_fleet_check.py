"""firsthand-fleet check: a real camera daemon is tested through its own program, and the report is filed (R37)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from camera_bench import EMERGENCY, LIGHTBAR, PURSUIT, RECORD, CameraBench

from evidence.handover import SelfTestDone, Status
from fleet.__main__ import main
from fleet.assets import AssetLog, Checked
from fleet.camera_check import CheckReport
from fleet.check_page import page

Make = Callable[..., CameraBench]
PINS = {"emergency": EMERGENCY, "lightbar": LIGHTBAR, "pursuit": PURSUIT, "record_button": RECORD}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`firsthand-device` of this checkout on the path."""
    directory = tmp_path / "bin"
    directory.mkdir()
    script(directory / "firsthand-device", f'exec {sys.executable} -m device "$@"')
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return directory


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def text_of(html: str) -> str:
    reader = Text()
    reader.feed(html)
    return " ".join(reader.found)


@pytest.mark.requirement("R37")
def test_a_camera_is_checked_and_the_report_is_filed(
    bench: Make, program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    camera = bench(policy={"inspection_days": 30}).start()
    assets, seen, codes = tmp_path / "assets.jsonl", len(camera.notices), list[int]()
    words = ["check", str(camera.socket), "--assets", str(assets), "--serial", "SIM-0001", "--technician", "T. Example"]
    thread = threading.Thread(target=lambda: codes.append(main(words)))
    thread.start()
    for asked in range(1, 5):
        line = camera.wait("press_line", since=seen, count=asked).word
        camera.press(PINS[str(line)], seconds=0.4)
    thread.join(240)
    said = capfd.readouterr()
    (entry,) = AssetLog(assets).read()
    assert isinstance(entry, Checked)
    assert (entry.serial, entry.technician) == ("SIM-0001", "T. Example")
    filed = tmp_path / "reports" / entry.report
    report = msgspec.json.decode(filed.read_bytes(), type=CheckReport)
    assert report.verdict == entry.verdict
    assert codes == [2 if report.verdict == "block" else 0]
    rows = {row.name: row for row in report.rows}
    assert all(rows[f"line_{name}"].result == "pass" for name in PINS)
    assert {"picture", "microphone", "signing_pace", "whole_log", "indicator_green"} <= set(rows)
    told = text_of(filed.with_suffix(".html").read_text("utf-8"))
    assert "Check of camera SIM-0001" in told
    assert "T. Example" in told
    assert "press or switch: emergency" in said.err, "the person sees what the camera asks for"
    assert report.verdict.upper() in said.out
    assert ("inspection", report.verdict, None) in stopped(camera).events()


def stopped(camera: CameraBench) -> CameraBench:
    camera.stop()
    return camera


def test_another_camera_than_the_labels_is_not_tested(
    bench: Make, program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    camera = bench().start()
    words = ["check", str(camera.socket), "--assets", str(tmp_path / "a.jsonl")]
    assert main([*words, "--serial", "CAM-0042"]) == 1
    assert "this is SIM-0001, and the label says CAM-0042" in capfd.readouterr().err
    camera.double_press()
    assert main(words) == 1
    assert "is recording SIM-0001-000001: stop it first" in capfd.readouterr().err
    assert not (tmp_path / "reports").exists()


STATUS = Status(
    serial="CAM-0042", model="body", firmware="1.4.2", state="ready", docked=False, degraded=False, uptime_s=9
)
ROW = {
    "name": "camera",
    "result": "fail",
    "severity": "block",
    "value": "no <b>frames</b>",
    "limit": "frames",
    "advice": "look at the ribbon cable",
    "duration_ms": 12,
}


@pytest.fixture
def far_camera(program: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """A camera behind `ssh`: no server here, so the client is played, and what it was told is kept."""

    def make(*, test: object, status: object = STATUS, code: int = 2) -> list[str]:
        answers = tmp_path / "answers"
        answers.mkdir(exist_ok=True)
        for name, answer in (("status", status), ("selftest", test)):
            (answers / name).write_bytes(answer if isinstance(answer, bytes) else msgspec.json.encode(answer))
        script(program / "firsthand-device", f"cat {answers}/$1; case $1 in selftest) exit {code};; esac")
        shell = f'printf "%s\\n" "$@" >> {tmp_path}/told; for last; do :; done; exec sh -c "$last"'
        script(program / "ssh", shell)
        return ["check", "ssh:technician@192.0.2.42", "--assets", str(tmp_path / "assets.jsonl")]

    return make


def test_a_camera_that_fails_is_reported_and_not_handed_out(
    far_camera: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = far_camera(test=SelfTestDone(verdict="block", checks=(ROW,)))
    assert main([*words, "--identity", "/keys/technician", "--technician", "O'Neil; reboot"]) == 2
    said = capsys.readouterr().out
    assert "BLOCK: Do not hand out this camera." in said
    assert "look at the ribbon cable" in said
    html = next((tmp_path / "reports").glob("CAM-0042-*.html")).read_text("utf-8")
    assert "no &lt;b&gt;frames&lt;/b&gt;" in html
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:4] == ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15"]
    assert told[4:6] == ["-o", "StrictHostKeyChecking=accept-new"]
    assert told[6:11] == ["-i", "/keys/technician", "-o", "IdentitiesOnly=yes", "--"]
    assert "technician@192.0.2.42" in told
    assert "firsthand-device selftest --extended --supervisor 'O'\"'\"'Neil; reboot' --json" in told
    assert main(["assets", str(tmp_path / "assets.jsonl")]) == 0
    assert "block" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (b"", 0, "cannot be read"),
        (b"{}", 0, "cannot be read"),
        (b"[" * 100_000, 0, "cannot be read"),
        (b"x" * 600_000, 0, "larger than any of ours"),
        (SelfTestDone(verdict="pass", checks=()), 0, "tested nothing"),
        (SelfTestDone(verdict="pass", checks=({**ROW, "result": "fine"},)), 0, "cannot be read"),
        (STATUS, 0, "something else than a self-test"),
        (SelfTestDone(verdict="pass", checks=(ROW,)), 1, "could not be asked"),
        (SelfTestDone(verdict="pass", checks=(ROW,)), 2, "says pass"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(
    far_camera: Callable[..., list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: object,
    code: int,
    told: str,
) -> None:
    assert main(far_camera(test=answer, code=code)) == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("camera", ["ssh:-oProxyCommand=x", "ssh:a b", "ssh:", "nothing", "/dev/null"])
def test_what_is_no_camera_is_refused(camera: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", camera, "--assets", str(tmp_path / "assets.jsonl")]) == 1
    assert "is no camera: say local" in capsys.readouterr().err


def test_the_page_needs_nothing_from_elsewhere() -> None:
    row = {**ROW, "severity": "block"}
    values = {"v": 1, "at": "2026-11-22T19:00:00.000000Z", "technician": "T", "camera": "local", "serial": "CAM-0042"}
    values |= {"model": "m", "firmware": "1", "profile_version": None, "battery_percent": None, "free_bytes": None}
    report = msgspec.convert({"kind": "check-report", **values, "verdict": "pass", "rows": [row]}, CheckReport)
    html = page(report)
    assert not any(word in html for word in ("src=", "href=", "url(", "<script"))

"""The report page: one file that loads nothing, escapes everything, and says in words what was found."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from recordings import Agency
from test_export import export
from test_export_chapters import METADATA

from evidence.__main__ import main
from evidence.export.markup import document, tag
from evidence.export.plain_words import length

Tool = Callable[[str], str]
Record = Callable[..., Path]
HOSTILE = "</td><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\u202eevil"


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(agency: Agency, path: Path, out: Path, *more: str) -> str:
    export(agency, path, out, *more)
    return next(out.glob("*.html")).read_text()


def parsed(text: str) -> Elements:
    made = Elements()
    made.feed(text)
    return made


def test_nothing_is_loaded_from_anywhere(agency: Agency, recording: Path, tmp_path: Path) -> None:
    text = page(agency, recording, tmp_path)
    elements = parsed(text)
    assert not [name for name, _ in elements.found if name in ("script", "link", "iframe", "object", "base", "form")]
    for _, attributes in elements.found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith("data:image/jpeg;base64,")
    assert "url(" not in text
    policies = [one["content"] for name, one in elements.found if "http-equiv" in one]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_words_of_a_recording_never_become_markup(agency: Agency, record: Record, tmp_path: Path) -> None:
    hostile = {
        "part": "opening",
        "officer": HOSTILE,
        "officer_identified_by": HOSTILE,
        "sound_absent_because": HOSTILE,
        "degraded": [HOSTILE],
        "self_test": {"id": HOSTILE, "verdict": HOSTILE},
        "triggers": [{"name": HOSTILE, "at_ns": 3_600_500_000_000}],
        "lines": {HOSTILE: True},
        "timeline": [[3_600_500_000_000, HOSTILE, 1], [1, 2], "x", [None, HOSTILE, 0]],
        "resumes": HOSTILE,
    }
    elements = parsed(page(agency, record(metadata=hostile, sound_in=()), tmp_path / "out"))
    assert not [name for name, _ in elements.found if name == "script"]
    assert len([1 for name, _ in elements.found if name == "img"]) == 6, "only the stills"
    assert "<script>alert(1)</script>" in elements.text, "shown as text"
    assert "\u202e" not in elements.text, "and it cannot turn the reading direction"


def test_lengths_are_told_as_people_say_them() -> None:
    assert [length(one) for one in (3.04, 61, 3600.0)] == ["3.0 s", "1 min 1.0 s", "1 h 0 min 0.0 s"]


def test_attributes_are_escaped() -> None:
    assert tag("p", "x", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;">x</p>'
    assert "<b>" not in document("<b>", tag("i"), tag("u"))


def test_the_page_tells_what_a_judge_asks(agency: Agency, record: Record, tmp_path: Path) -> None:
    path = record(seconds=4, hole_after=1, sound_in=(2, 3), metadata=METADATA | {"part": "opening"})
    text = parsed(page(agency, path, tmp_path / "out")).text
    for said in (
        "Camera SIM-0001 recorded 14.0 s",
        "Trigger: record button",
        "by a person",
        "Trigger: pursuit",
        "critical class",
        "Gap of 10.00 s",
        "the camera delivered no picture",
        "Marker",
        "Stop: button",
        "a time server on the network",
        "whoever copied that file could sign",
        "Sound begins 12.0 s after the first picture",
        "the recording does not say why",
        "No station's receipt lies beside the evidence file",
        "does not prove that the scene in front of the camera was genuine",
    ):
        assert said in text, said


def test_the_label_stands_where_browsers_repeat_it_on_every_page(
    agency: Agency, recording: Path, tmp_path: Path
) -> None:
    head = re.search(r'<table class="sheet"><thead>(.*?)</thead>', page(agency, recording, tmp_path), re.DOTALL)
    assert head is not None
    assert "SIMULATED, not evidence" in head.group(1)


def test_real_footage_has_no_label(real_agency: Agency, tmp_path: Path) -> None:
    from recordings import Recipe, write_recording

    path = write_recording(real_agency, tmp_path, Recipe(kind="real"))
    text = page(real_agency, path, tmp_path / "out")
    assert 'class="banner"' not in text
    assert "This recording verifies: complete and unaltered." in text


def test_what_does_not_verify_is_condemned_first(agency: Agency, record: Record, tmp_path: Path) -> None:
    text = page(agency, record(close=False), tmp_path / "out", "--force")
    assert "NOT VALID EVIDENCE" in parsed(text).text
    assert "This recording could not be verified." in text
    assert "not closed" in text


def test_no_fix_is_said_in_words(agency: Agency, record: Record, tmp_path: Path) -> None:
    assert "The receiver had no fix at any time" in page(agency, record(fix_in=()), tmp_path / "out")


def test_the_commands_of_the_appendix_run_as_they_stand(
    agency: Agency, recording: Path, tmp_path: Path, tool: Tool
) -> None:
    """With openssl and sha256sum, beside the files, under `sh`."""
    tool("openssl")
    desk = ("--sign-cert", agency.file("export.pem"), "--sign-key", agency.file("export.key"))
    text = page(agency, recording, tmp_path, *desk)
    (tmp_path / recording.name).write_bytes(recording.read_bytes())
    (tmp_path / "root.pem").write_bytes((agency.directory / "root.pem").read_bytes())
    commands = [unescape(one) for one in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)]
    run = [one for one in commands if "firsthand-evidence" not in one and "c2patool" not in one]
    assert len(run) == 4
    for one in run:
        done = subprocess.run(["sh", "-ec", one], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert b'"kind":"close"' in (tmp_path / "close.json").read_bytes()
    (tmp_path / recording.name).write_bytes(recording.read_bytes()[:-1] + b"x")
    assert subprocess.run(["sh", "-ec", run[0]], cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_file_name_cannot_smuggle_a_command_into_the_appendix(
    agency: Agency, recording: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "x\nEND\ntouch pwned; '$(touch pwned)'.evidence"
    renamed.write_bytes(recording.read_bytes())
    text = page(agency, renamed, tmp_path / "out")
    for one in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL):
        subprocess.run(["sh", "-c", unescape(one)], cwd=tmp_path / "out", capture_output=True, check=False)
    assert not list(tmp_path.rglob("pwned"))


def test_a_receipt_beside_the_file_is_a_custody_step(agency: Agency, recording: Path, tmp_path: Path) -> None:
    import datetime as dt
    import hashlib

    from evidence import cms
    from evidence.handover import Receipt
    from evidence.statements import NO_HASH, encode_canonical

    path = tmp_path / recording.name
    path.write_bytes(recording.read_bytes())
    receipt = Receipt(
        v=1, serial="SIM-0001", stream="recording", number=1, name=path.name, bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), close_hash=NO_HASH, nonce="0" * 32,
        store="directory:STATION-1", object_version=path.name, retention_class="standard", verdict="valid",
        station="STATION-1", system_id="test", issued="2026-11-22T06:52:56.407667Z",
    )  # fmt: skip
    beside = tmp_path / (path.name + ".receipt.p7s")
    now = dt.datetime.now(dt.UTC)
    beside.write_bytes(cms.sign(encode_canonical(receipt), agency.signer("station-receipt"), now))
    assert "held every byte at 2026-11-22T06:52:56.407667Z; its verdict: valid" in page(agency, path, tmp_path / "a")
    beside.write_bytes(cms.sign(encode_canonical(receipt), agency.signer("camera"), now))
    assert "NOT PROVEN" in page(agency, path, tmp_path / "b"), "a camera cannot write a station's receipt"


def test_the_page_prints_with_its_label_on_every_sheet(
    agency: Agency, recording: Path, tmp_path: Path, tool: Tool
) -> None:
    page(agency, recording, tmp_path)
    source, pdf = next(tmp_path.glob("*.html")), tmp_path / "page.pdf"
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    switches += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [tool("chromium"), *switches, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", source.as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    text = subprocess.run([tool("pdftotext"), "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout
    sheets = [one for one in text.split("\f") if one.strip()]
    assert len(sheets) >= 3
    for number, sheet in enumerate(sheets, 1):
        assert "SIMULATED, not evidence" in sheet
        assert f"Page {number} of {len(sheets)}" in sheet


def test_the_largest_offset_of_the_sound_is_told_in_page_json_and_inspect(
    agency: Agency, record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(seconds=3, sound_offsets_us=(2_000, -95_400, 21_000))
    assert "at most 95.4 ms; there it plays after its picture" in parsed(page(agency, path, tmp_path / "out")).text
    report = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert report["sound"]["largest_offset_us"] == -95_400
    capsys.readouterr()
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "47 sound frames (+21.0 ms off)" in said
    assert "by -95.4 ms at most" in said


def test_sound_that_nobody_measured_is_not_told_as_exact(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert "Sound off its picture" not in page(agency, recording, tmp_path)

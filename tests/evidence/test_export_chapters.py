"""A player can jump to what happened, and can show time and position; ffprobe and ffmpeg judge it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordings import Agency
from test_export import decode_errors, export

from evidence.errors import MediaError
from evidence.export.captions import switch_off

Tool = Callable[[str], str]
Record = Callable[..., Path]
START_NS = 3_600_000_000_000
TRIGGERS = [
    {"name": "record_button", "at_ns": START_NS + 1_200_000_000, "critical": False, "manual": True},
    {"name": "pursuit", "at_ns": START_NS + 2_500_000_000, "critical": True, "manual": False},
]
METADATA = {"triggers": TRIGGERS, "timeline": [[START_NS + 1_200_000_000, "record_button", 1]]}


def probed(tool: Tool, path: Path, *what: str) -> dict[str, Any]:
    command = [tool("ffprobe"), "-v", "error", *what, "-of", "json", path]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def subtitles(tool: Tool, path: Path) -> str:
    command = [tool("ffmpeg"), "-v", "error", "-i", path, "-map", "0:s:0", "-f", "srt", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def exported(agency: Agency, record: Record, tmp_path: Path) -> Path:
    path = record(seconds=4, fix_in=(0, 1, 3), hole_after=2, metadata=METADATA)
    assert export(agency, path, tmp_path / "out") == 0
    return tmp_path / "out" / f"{path.stem}.mp4"


def test_chapters_stand_at_triggers_gaps_and_the_stop(exported: Path, tool: Tool) -> None:
    chapters = probed(tool, exported, "-show_chapters")["chapters"]
    found = [(round(float(one["start_time"]), 1), one["tags"]["title"]) for one in chapters]
    assert found[0][0] == 0.0
    assert found[1:] == [
        (1.2, "Trigger: record button"),
        (2.5, "Trigger: pursuit"),
        (3.0, "Gap of 10.00 s"),
    ]
    assert float(chapters[-1]["end_time"]) == pytest.approx(14.0, abs=0.01)


def test_a_stop_after_the_last_picture_stands_at_the_last_picture(
    agency: Agency, record: Record, tmp_path: Path, tool: Tool
) -> None:
    from evidence.export.chapters import chapters
    from evidence.export.contents import Contents
    from evidence.export.happenings import Happening

    stop = Happening("stop", START_NS + 9_000_000_000, "Stop: record button")
    made = chapters([stop], Contents(first_ns=START_NS), 4.0, clipped=False)
    assert [(one.at_s, one.title) for one in made] == [(0.0, "Begin"), (3.96, "Stop: record button")]
    assert [one.title for one in chapters([stop], Contents(first_ns=START_NS), 4.0, clipped=True)] == ["Begin"]


def test_captions_say_time_position_and_recording_once_a_second(exported: Path, tool: Tool) -> None:
    text = subtitles(tool, exported)
    assert text.count("SIM-0001-000001") == 4
    assert "47.123456 N, 8.000000 W" in text
    assert text.count("no GPS fix") == 1, "the third second had none, and no position is made up for it"
    assert text.count("UTC (clock: ntp)") == 4
    assert "00:00:03,000 --> 00:00:13" not in text, "no caption stands in the hole"


def test_captions_are_off_until_somebody_switches_them_on(exported: Path, tool: Tool) -> None:
    streams = probed(tool, exported, "-show_streams")["streams"]
    enabled = {one["codec_name"]: one["disposition"]["default"] for one in streams if "codec_name" in one}
    assert enabled["mov_text"] == 0
    assert enabled["h264"] == 1
    assert decode_errors(tool, exported) == ""


def test_captions_can_be_left_out(agency: Agency, recording: Path, tmp_path: Path, tool: Tool) -> None:
    assert export(agency, recording, tmp_path, "--no-captions") == 0
    streams = probed(tool, tmp_path / "SIM-0001-000001.mp4", "-show_streams")["streams"]
    assert "mov_text" not in [one.get("codec_name") for one in streams]


def test_captions_label_what_is_simulated(exported: Path, tool: Tool) -> None:
    assert subtitles(tool, exported).count("SIMULATED, not evidence") == 4


def test_an_unknown_clock_is_not_made_into_a_time(agency: Agency, record: Record, tmp_path: Path, tool: Tool) -> None:
    path = record(time_source="none")
    export(agency, path, tmp_path / "out")
    assert subtitles(tool, tmp_path / "out" / f"{path.stem}.mp4").count("UTC not known") == 2


def test_a_file_without_an_index_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"\0\0\0\x08free", b"\0\0\0\x02moov"):
        path = tmp_path / "broken.mp4"
        path.write_bytes(data)
        with pytest.raises(MediaError):
            switch_off(path)

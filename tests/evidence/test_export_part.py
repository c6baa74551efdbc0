"""`--from` and `--to` export a part: whole fragments, and every output says that it is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency
from test_export import decode_errors, export, packets

from evidence.export.window import as_clock, seconds_of

Tool = Callable[[str], str]
Record = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("0:01:30", 90), ("1.5", 1.5), ("2:00:00.25", 7200.25)]
)
def test_a_time_is_written_as_people_do(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "soon", "1:", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time in a recording"):
        seconds_of(text)


def test_a_clock_as_players_show_it() -> None:
    assert [as_clock(one) for one in (0, 61.26, 3600, -3)] == ["0:00:00.0", "0:01:01.3", "1:00:00.0", "0:00:00.0"]


def test_whole_fragments_are_kept_and_the_report_says_so(
    agency: Agency, record: Record, tmp_path: Path, tool: Tool
) -> None:
    path, out = record(seconds=4), tmp_path / "out"
    assert export(agency, path, out, "--from", "1.5", "--to", "0:00:02.5") == 0
    stem = f"{path.stem}.part-1.5s-2.5s"
    assert sorted(one.name for one in out.iterdir()) == [f"{stem}.{kind}" for kind in ("gpx", "html", "json", "mp4")]
    found = packets(tool, out / f"{stem}.mp4")
    assert len(found["avc1"]) == 50, "the second and the third second, whole"
    assert float(found["avc1"][0]["pts_time"]) == 0.0
    assert decode_errors(tool, out / f"{stem}.mp4") == ""
    report = json.loads((out / f"{stem}.json").read_text())
    assert report["part"].startswith("0:00:01.0 to 0:00:03.0 of 0:00:04.0 (asked for: 0:00:01.5 to 0:00:02.5)")
    assert (report["exported"]["fragments"], report["exported"]["fragments_left_out"]) == (2, 2)
    assert report["exported"]["discrepancies"] == []
    page = (out / f"{stem}.html").read_text()
    assert "This export is only a part" in page
    assert "reports earlier groups as missing" in page


def test_an_open_end_goes_to_the_end(agency: Agency, record: Record, tmp_path: Path, tool: Tool) -> None:
    path = record(seconds=3)
    assert export(agency, path, tmp_path / "out", "--from", "2") == 0
    assert len(packets(tool, tmp_path / "out" / f"{path.stem}.part-2s-end.mp4")["avc1"]) == 25


def test_a_part_beyond_the_recording_has_no_video_and_says_so(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert export(agency, recording, tmp_path, "--from", "100") == 0
    assert not list(tmp_path.glob("*.mp4"))
    report = json.loads((tmp_path / f"{recording.stem}.part-100s-end.json").read_text())
    assert report["part"].startswith("nothing of the recording lies in")


@pytest.mark.parametrize("asked", [("--from", "3", "--to", "2"), ("--from", "soon")])
def test_wrong_times_are_wrong_usage(
    agency: Agency, recording: Path, tmp_path: Path, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = export(agency, recording, tmp_path, *asked)
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 64
    assert list(tmp_path.iterdir()) == []


def test_a_part_begins_with_a_key_frame_even_if_its_fragment_does_not() -> None:
    from encoded_media import pictures, video_samples, video_track

    from evidence.errors import MediaError
    from evidence.export.clip import Lead
    from evidence.export.items import ObjectItem
    from evidence.fmp4 import init_segment, media_fragment
    from evidence.fmp4_read import parse_init

    init = parse_init(init_segment(video_track(), None, gps=False))
    units = pictures()[:25]
    data = [b"".join(bytes(one) for one in media_fragment(1, video_samples(units[n : n + 5], n))) for n in (0, 5, 10)]
    items = [ObjectItem(number, 0, 0, "", None) for number in range(3)]
    lead = Lead()
    for item in items[:2]:
        lead.pass_by(item)
    needed = lead.needed(data[2], init, lambda item: data[item.number])
    assert [item.number for item, _ in needed] == [0, 1]
    with pytest.raises(MediaError, match="no key frame"):
        Lead().needed(data[2], init, lambda item: data[item.number])

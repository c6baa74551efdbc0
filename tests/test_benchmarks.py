"""The benchmarks' own sums: percentiles, merged results, and the stream that is played again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("figures", "replay", "results", "upload"):
        sys.modules.pop(name, None)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    import results

    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [results.percentile(values, percent) for percent in (1, 50, 99, 100)] == [1.0, 3.0, 5.0, 5.0]
    assert results.percentile([float(one) for one in range(1, 101)], 99) == 99.0


def test_figures_are_merged_by_name(tmp_path: Path) -> None:
    import results

    file = tmp_path / "build" / "bench.json"
    results.keep({"ready_s": 0.5, "frames_lost": 3}, file)
    results.keep({"frames_lost": 0, "rss_mib": 48.25}, file)
    assert json.loads(file.read_text()) == {"ready_s": 0.5, "frames_lost": 0, "rss_mib": 48.25}


def test_a_replayed_stream_gives_each_access_unit_back_in_order(tmp_path: Path) -> None:
    import replay

    delimiter, sps = b"\x00\x00\x00\x01\x09\x10", b"\x00\x00\x00\x01\x67sps"
    units = [sps + b"\x00\x00\x01\x65key", b"\x00\x00\x01\x41one", b"\x00\x00\x01\x41two"]
    path = tmp_path / "stream.h264"
    path.write_bytes(b"".join(delimiter + unit for unit in units))
    stream = replay.Stream(path)
    assert len(stream) == 3
    assert [stream.frame(number, 0).data for number in range(4)] == [*units, units[0]]
    assert [stream.frame(number, 0).keyframe for number in range(3)] == [True, False, False]
    assert stream.frame(7, 99).sequence == 7


@pytest.mark.requirement("R30")
def test_the_agents_upload_arrives_byte_for_byte_and_needs_no_memory_for_the_files_size(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    import upload

    tool("curl")

    upload.create_agency(tmp_path / "pki")
    file, kept = upload.made(tmp_path / upload.NAME, 32), tmp_path / "kept"
    for way in (upload.ours, upload.curl):
        with upload.sink(tmp_path / "pki", hashing=True, keep=kept) as port:
            cost = way(tmp_path / "pki", port, file)
        assert kept.read_bytes() == file.read_bytes(), way.__name__
        if way is upload.ours:
            assert cost.peak_mib - cost.before_mib < 10, "a chunk and what a request needs, not the file"
            assert cost.peak_mib < 60


def test_what_a_bench_found_says_how_and_where_it_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import figures

    monkeypatch.setattr(figures, "FRESH", tmp_path / "build")
    monkeypatch.setattr(figures, "PUBLISHED", tmp_path / "docs")
    figures.record("cuts", {"lost_s": 0.123456789, "cuts": 1000}, ok=True, rows=[{"model": "torn", "lost_s": 1.0}])
    assert figures.published() == {}
    figures.record("cuts", {"lost_s": 0.123456789, "cuts": 1000}, ok=True, command="make powercut", publish=True)
    (found,) = figures.published().values()
    assert (found["name"], found["command"], found["ok"]) == ("cuts", "make powercut", True)
    assert found["figures"] == {"lost_s": 0.123457, "cuts": 1000}
    assert found["machine"]["processors"] >= 1

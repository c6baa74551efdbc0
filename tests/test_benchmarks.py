"""The benchmarks' own sums: percentiles, merged results, and the stream that is played again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("figures", "replay", "results", "run_benchmarks", "table", "upload"):
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
    kept = {name: value for name, value in json.loads(file.read_text()).items() if not name.startswith("machine_")}
    assert kept == {"ready_s": 0.5, "frames_lost": 0, "rss_mib": 48.25}


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


@pytest.mark.parametrize("name", ["startup", "verify", "export", "ingest", "page", "selftest", "shift", "upload"])
def test_each_row_of_the_table_has_a_command_that_tells_what_it_is(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), "--help"],
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--publish" in done.stdout
    assert f"python benchmarks/{name}.py" in done.stdout


def test_every_part_of_the_table_is_a_program_and_every_figure_is_told_once() -> None:
    import table

    for part in table.PARTS:
        source = (BENCHMARKS / f"{part.name}.py").read_text("utf-8")
        assert f'results.Run("{part.name}"' in source, part.name
        for row in part.rows:
            assert row.peer is None or row.peer_is, row.figure
    told = [row.figure for part in table.PARTS for row in part.rows]
    assert len(told) == len(set(told))


def test_what_was_published_holds_every_figure_that_the_table_tells() -> None:
    import figures
    import table

    for name, found in figures.published("bench").items():
        for row in table.BY_NAME[name].rows:
            assert row.figure in found["figures"], f"{name}: {row.figure}"
            assert row.peer is None or row.peer in found["figures"] or row.figure == "cpu_s_per_h_hashing", row.peer


def test_an_aim_is_a_bound_from_the_side_that_is_better() -> None:
    import table

    speed = table.Row("x_mb_s", "a speed", "MB/s", 300, at_least=True, peer="y_mb_s", peer_is="`peer`")
    assert table.seen(speed, {"x_mb_s": 312.4, "y_mb_s": 1000.0}) == ("≥ 300", "312 MB/s", "met", "1000")
    assert table.seen(speed, {"x_mb_s": 299.9}) == ("≥ 300", "300 MB/s", "missed", "")
    time_taken = table.Row("x_s", "a time", "s", 1.0)
    assert table.seen(time_taken, {"x_s": 0.984}) == ("≤ 1", "0.984 s", "met", "")
    assert table.seen(time_taken, {}) == ("", "not measured", "", "")


def test_page_and_table_are_drawn_from_the_same_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent / "docs"))
    import figures
    import results
    import run_benchmarks as bench
    import table

    part = table.BY_NAME["verify"]
    names = {name for row in part.rows for name in (row.figure, row.peer) if name}
    found = {name: 100.5 + place for place, name in enumerate(sorted(names))}
    monkeypatch.setattr(figures, "FRESH", tmp_path / "build")
    monkeypatch.setattr(figures, "PUBLISHED", tmp_path / "docs")
    monkeypatch.setattr(results, "FILE", tmp_path / "bench.json")
    results.keep(found)
    figures.record("bench/verify", found, ok=True, publish=True, command=part.command, seconds=3)
    monkeypatch.delitem(sys.modules, "drawn_benchmarks", raising=False)
    import drawn_benchmarks

    printed, page = "\n".join(bench.lines([part])), drawn_benchmarks.part_block(part)
    for row in part.rows:
        _, value, _, peer = table.seen(row, found)
        assert value in printed
        assert value in page
        assert peer in page
    assert part.command in page
    assert drawn_benchmarks.beside_svg(part).count("<rect") == 1 + 2 * len([row for row in part.rows if row.peer])
    monkeypatch.delitem(sys.modules, "drawn_benchmarks")


def test_the_machine_stands_beside_the_figures(tmp_path: Path) -> None:
    import results

    results.keep({"ready_s": 0.5}, tmp_path / "bench.json")
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert kept["machine_processors"] >= 1
    assert kept["machine_python"].count(".") == 2

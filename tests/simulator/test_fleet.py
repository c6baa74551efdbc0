"""Many cameras at one station and one broker (`firsthand-sim fleet`): all receipts, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.cli import main


@pytest.mark.requirement("R30", "R38")
def test_a_small_fleet_docks_at_once_and_every_file_has_a_valid_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fleet"
    words = ["--cameras", "8", "--recordings", "1", "--megabytes", "1", "--events", "4", "--json"]
    assert main(["fleet", *words, "--out", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["files"], report["receipts_valid"], report["trouble"]) == (16, 16, [])
    assert report["mqtt"]["heard"] == report["mqtt"]["sent"] == 32
    assert report["station_peak_mib"] < 200
    assert not (out / "cameras").exists(), "the cards are large, and taken away"
    assert main(["fleet", "--out", str(out)]) == 64
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.requirement("R30", "R38")
def test_a_fleet_over_a_bad_line_loses_nothing_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fleet"
    words = ["--cameras", "4", "--recordings", "1", "--megabytes", "1", "--events", "2", "--json"]
    line = ["--latency", "20", "--jitter", "10", "--loss", "0.2"]
    assert main(["fleet", *words, *line, "--out", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["files"], report["receipts_valid"], report["trouble"]) == (8, 8, [])
    assert report["mqtt"]["heard"] == report["mqtt"]["sent"] == 8
    # A camera asks ten questions at the least, and each takes two latencies.
    assert report["slowest_s"] > 10 * 2 * 0.020
    assert report["line"] == {"latency_ms": 20.0, "jitter_ms": 10.0, "loss_percent": 0.2, "kbit_s": 0.0}


def test_a_line_that_makes_no_sense_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "--loss", "51", "--out", str(tmp_path / "fleet")]) == 64
    assert "number from 0 to 50" in capsys.readouterr().err
    assert not (tmp_path / "fleet").exists()

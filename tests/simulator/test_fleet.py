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

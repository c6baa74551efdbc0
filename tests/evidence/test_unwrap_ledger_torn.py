"""The export desk's computer lost its power while it wrote: the ledger goes on, and nothing is taken for a crash."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest
from recordings import Agency

from evidence.errors import BrokenChain
from evidence.torn import SECTOR
from evidence.trust import Trust
from evidence.unwrap_ledger import CHUNK, UnwrapLedger, read_ledger


def ledger_of(agency: Agency, path: Path) -> UnwrapLedger:
    return UnwrapLedger(path, agency.signer("export"), "export", "SIM-0001-000001.evidence", "0" * 64)


def written(agency: Agency, path: Path) -> tuple[int, bytes]:
    """A ledger whose last statement names as many objects as one can; how long it was before, and all of it."""
    ledger = ledger_of(agency, path)
    ledger.begin()
    before = path.stat().st_size
    for number in range(CHUNK):
        ledger.opened(f"{number:064x}")
    return before, path.read_bytes()


def phases(agency: Agency, path: Path) -> list[str]:
    return [one.phase for one, _, _ in read_ledger(path, Trust.load(Path(agency.file("root.pem"))))]


def test_whatever_a_power_cut_left_of_the_last_statement_is_set_aside(
    agency: Agency, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, whole = written(agency, tmp_path / "whole.ledger")
    chance = random.Random(3)
    sectors = range(before // SECTOR, len(whole) // SECTOR + 1)
    for number in range(24):
        left = bytearray(whole[: chance.randrange(before + 1, len(whole))] if number % 2 else whole)
        for sector in (one for one in sectors if chance.random() < 0.3):
            begin, end = max(before, sector * SECTOR), min(len(left), (sector + 1) * SECTOR)
            left[begin:end] = bytes(max(0, end - begin))
        path = tmp_path / f"{number}.ledger"
        path.write_bytes(left)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            ledger = ledger_of(agency, path)
            ledger.begin()
            ledger.end(done=True)
        assert phases(agency, path) == ["begin", "begin", "end"]
        assert (tmp_path / f"{path.name}.cut-{before}").read_bytes() == left[before:]
        assert "was cut off" in caplog.text


def test_a_changed_bit_stops_every_opening_and_is_left_as_it_is(agency: Agency, tmp_path: Path) -> None:
    path = tmp_path / "unwraps.ledger"
    before, whole = written(agency, path)
    changed = bytearray(whole)
    changed[before + 5000] ^= 1
    path.write_bytes(changed)
    with pytest.raises(BrokenChain, match="nothing more is opened"):
        ledger_of(agency, path).begin()
    assert path.read_bytes() == changed


def test_a_hole_before_the_last_statement_is_damage(agency: Agency, tmp_path: Path) -> None:
    path = tmp_path / "unwraps.ledger"
    written(agency, path)
    again = ledger_of(agency, path)
    again.begin()
    again.end(done=True)
    spoilt = bytearray(path.read_bytes())
    spoilt[SECTOR : 2 * SECTOR] = bytes(SECTOR)
    path.write_bytes(spoilt)
    with pytest.raises(BrokenChain, match="nothing more is opened"):
        ledger_of(agency, path).begin()
    assert path.read_bytes() == spoilt

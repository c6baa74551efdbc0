"""Logs of real receivers, with gpsd's own answers as the oracle. The logs are not part of the repository."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hal.gps import GpsEpoch
from hal.nmea import EpochAssembler

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LOGS = {"neo-m8n": 24, "ublox-8": 72, "bu353s4": 25}  # with how many epochs each holds
BROKEN_OFF = {"neo-m8n": 1, "ublox-8": 0, "bu353s4": 0}
"""Epochs at the end that the log cuts short. gpsd waits for their last sentence and never reports them."""


def _lines(name: str) -> list[bytes]:
    path = DATA / f"{name}.log"
    if not path.exists():
        pytest.skip(f"the real receiver's log {path} is not here (Debian source package gpsd 3.25, test/daemon/)")
    return path.read_bytes().split(b"\n")


def _epochs(lines: list[bytes]) -> list[GpsEpoch]:
    assembler = EpochAssembler()
    found = [assembler.add(line, 0) for line in lines]
    found.append(assembler.finish())
    return [epoch for epoch in found if epoch is not None]


def _gpsd_positions_nd(name: str) -> set[tuple[int, int]]:
    reports = (DATA / f"{name}.log.chk").read_text(encoding="utf-8", errors="replace").splitlines()
    answers = [json.loads(line, parse_float=Decimal) for line in reports if line.startswith("{")]
    return {
        (int(answer["lat"] * 10**9), int(answer["lon"] * 10**9))
        for answer in answers
        if answer["class"] == "TPV" and "lat" in answer
    }


@pytest.mark.parametrize("name", LOGS)
def test_every_position_is_one_that_gpsd_reports(name: str) -> None:
    epochs = _epochs(_lines(name))
    oracle = _gpsd_positions_nd(name)
    fixes = [epoch for epoch in epochs if epoch.fix]
    assert len(epochs) == LOGS[name]
    assert fixes
    strangers = [epoch for epoch in fixes if not _is_near_one_of(oracle, epoch)]
    assert strangers == fixes[len(fixes) - BROKEN_OFF[name] :]


def _is_near_one_of(oracle: set[tuple[int, int]], epoch: GpsEpoch) -> bool:
    assert epoch.latitude_nd is not None
    assert epoch.longitude_nd is not None
    here = (epoch.latitude_nd, epoch.longitude_nd)
    return any(abs(here[0] - lat) <= 1 and abs(here[1] - lon) <= 1 for lat, lon in oracle)


@pytest.mark.parametrize("name", LOGS)
def test_no_position_is_zero_and_none_comes_before_the_first_fix(name: str) -> None:
    lines = _lines(name)
    positions = [(epoch.latitude_nd, epoch.longitude_nd) for epoch in _epochs(lines) if epoch.fix]
    assert (0, 0) not in positions
    first = next(
        i for i, line in enumerate(lines) if (b",A," in line and line[3:6] in (b"RMC", b"GLL")) or b"GGA" in line
    )
    assert not any(epoch.fix for epoch in _epochs(lines[:first]))
    void = [line for line in lines[:first] if line.startswith(b"$")]
    assert not any(epoch.latitude_nd for epoch in _epochs(void))


def test_a_date_before_the_week_roll_over_is_passed_on_not_mended() -> None:
    """gpsd adds 1024 weeks to this log of 2015 and says 2034; we report what the receiver said."""
    times = [epoch.utc_ns for epoch in _epochs(_lines("neo-m8n")) if epoch.utc_ns is not None]
    assert times[0] == 1_426_699_166_000_000_000  # 2015-03-18T17:19:26Z
    assert times == sorted(times)

"""The scenario `bad-day` in virtual time: everything around a camera goes wrong, and the evidence says so honestly."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.cms import parse_signed
from evidence.export.decrypt import Vault
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import AnyStatement, ClockStep, Event, decode
from evidence.trust import Trust
from evidence.verify import verify_file
from simulator.measured import read_contents

NS_PER_S = 10**9
WEEKS_NS = 1024 * 7 * 86_400 * NS_PER_S
HOME = (41_538_200_000, -72_807_000_000)
Row = tuple[int, int, int, int, int | None]
"""Arrival (CLOCK_BOOTTIME, ns), latitude and longitude in nanodegrees, altitude in mm, the receiver's UTC in ns: None
where the sentence with the date was lost."""


@pytest.fixture(scope="module")
def day() -> Iterator[Path]:
    """The directory of a run that went as the scenario expects."""
    directory = Path(tempfile.mkdtemp(prefix="bad-day-"))
    try:
        command = ["shift", "bad-day", "--deterministic", "--expected-only", "--seed", "3", "--out", "out"]
        done = subprocess.run(
            [sys.executable, "-m", "simulator", *command], cwd=directory, capture_output=True, text=True, timeout=800
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield directory / "out"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def statements(path: Path) -> list[AnyStatement]:
    found = Splitter().feed(path.read_bytes())
    return [decode(parse_signed(one.data).payload) for one in found if isinstance(one, StatementBytes)]


def recording_of(day: Path) -> Path:
    """The only recording."""
    (found,) = (one for one in (day / "camera" / "spool").glob("*.evidence") if "-log-" not in one.name)
    return found


@pytest.fixture(scope="module")
def track(day: Path) -> list[Row]:
    """The recording's track, every fix as the receiver claimed it."""
    vault = Vault.load(day / "pki" / "vault.pem", day / "pki" / "vault.key")
    rows = [one["track"] for one in read_contents(recording_of(day), vault).metadata if "track" in one]
    return [tuple(row) for row in rows[-1]]


@pytest.mark.requirement("R5", "R12", "R13", "R15", "R18", "R22", "R29")
def test_through_everything_the_camera_records_on_until_the_battery_is_empty(day: Path) -> None:
    """What it must say, and when, stands in the scenario."""
    report = verify_file(recording_of(day), Trust.load(day / "pki" / "root.pem"))
    assert report.valid
    assert report.closed is not None
    assert report.closed.reason == "battery_empty"
    events = [one.event for one in statements(recording_of(day)) if isinstance(one, Event)]
    assert {"dislodged", "low_power", "trigger"} <= set(events)
    assert not {"failure_began", "gap"} & set(events), "not a frame was lost"


@pytest.mark.requirement("R5")
def test_a_receiver_with_a_wrong_time_is_signed_into_the_log_and_not_followed(day: Path) -> None:
    steps = [
        one
        for path in sorted((day / "camera" / "spool").glob("*-log-*.evidence"))
        for one in statements(path)
        if isinstance(one, ClockStep)
    ]
    causes = [one.cause for one in steps]
    assert {"gnss_went_back", "gnss_jumped"} <= set(causes)
    assert causes.count("stepped_forward") == causes.count("stepped_back") == 1, "the jump of its own clock, and back"


@pytest.mark.requirement("R5")
def test_without_a_fix_there_is_no_row_neither_zero_nor_the_last_place(track: list[Row]) -> None:
    assert all(abs(row[1] - HOME[0]) < 10**9 and abs(row[2] - HOME[1]) < 10**9 for row in track)
    holes_s = [(late[0] - early[0]) / NS_PER_S for early, late in itertools.pairwise(track)]
    assert sum(9 <= hole <= 13 for hole in holes_s) >= 2, "a silent line, and one at another speed"
    assert any(5 <= hole <= 7 for hole in holes_s), "no satellite"
    assert any(20 <= hole <= 22 for hole in holes_s), "a cold start"


@pytest.mark.requirement("R5")
def test_what_the_receiver_claimed_stands_as_it_claimed_it(track: list[Row]) -> None:
    off_ns = [row[4] - row[0] for row in track if row[4] is not None]
    usual_ns = sorted(off_ns)[len(off_ns) // 2]
    wrong_s = [round((one - usual_ns) / NS_PER_S) for one in off_ns]
    assert wrong_s.count(-WEEKS_NS // NS_PER_S) in range(4, 8), "1024 weeks back"
    assert wrong_s.count(7200) in range(4, 8), "two hours ahead"
    stale = [row for before, row in itertools.pairwise(track) if row[4] is not None and row[4] == before[4]]
    assert len(stale) in range(3, 8), "the receiver's time stands still, and the arrival shows it"
    north = [row for row in track if row[1] - HOME[0] > 30_000_000]
    assert len(north) in range(4, 8), "five kilometres away, and back"

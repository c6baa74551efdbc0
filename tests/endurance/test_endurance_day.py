"""Two hours of the endurance day, in CI: whole, receipted, gone from the card, and nothing left open.

The plan by itself: every fault comes before any comes again. The whole day is `make endurance PART=day`.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BENCHMARKS = HERE.parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(HERE))
    yield
    for name in ("day", "day_judge", "day_plan", "day_use", "figures", "flatness", "process_use"):
        sys.modules.pop(name, None)


def test_each_fault_comes_once_before_any_comes_again_and_dock_faults_come_at_the_dock() -> None:
    from day_plan import AT_DOCK, LEFT_OUT, hours

    from simulator.faults import catalogue

    known = set(catalogue())
    assert known >= LEFT_OUT.keys(), "what is left out is a fault that there is"
    street, dock = list[str](), list[str]()
    for hour in itertools.islice(hours(known, 7), 48):
        dock += hour.at_dock
        for incident in hour.incidents:
            street += [incident.before, *incident.during]
    assert {name.partition(".")[0] for name in dock} == AT_DOCK
    for names in (street, dock):
        kinds = set(names)
        assert len(set(names[: len(kinds)])) == len(kinds)
    assert {*street, *dock} == known - LEFT_OUT.keys()


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    from day_plan import hours

    names = [f"gps.{letter}" for letter in "abcdefgh"] + [f"dock.{letter}" for letter in "abcd"]
    first, again, other = (list(itertools.islice(hours(names, seed), 5)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.requirement("R38")
def test_after_an_hour_of_incidents_and_faults_everything_is_in_the_station_and_nothing_stays_open(
    tmp_path: Path,
) -> None:
    from day import play_day
    from day_judge import stored

    played = play_day(1, tmp_path / "day", seed=3, traced=False, say=lambda _: None, sample_every_s=300.0)
    held = stored(played)
    assert played.troubles == []
    assert len(played.faults) > 5
    assert len(played.opened) >= 3
    assert (held.missing, held.not_valid, held.without_receipt, held.left) == ([], [], [], [])
    warm, last = played.use.samples[4], played.use.samples[-1]
    assert last.descriptors <= warm.descriptors + 2 * (played.starts - 1), (
        "a cut camera's log stays open in this process"
    )
    assert last.threads <= warm.threads + 2
    assert last.card_files <= 4, "two segments of the log, at most, wait for their successors"

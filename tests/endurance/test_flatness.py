"""What counts as flat: neither one outlier, nor warm-up, nor falling; but every rise, be it a slope or a step."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


HOURS = [minute / 6 for minute in range(24 * 6)]


def test_noise_around_a_level_is_flat() -> None:
    from flatness import growth

    noise = random.Random(8)
    found = growth(HOURS, [60 + noise.uniform(-2, 2) for _ in HOURS], allowed=1.0)
    assert found.flat
    assert abs(found.per_hour) < 0.1


def test_a_slow_leak_is_found_under_noise_that_is_larger_than_an_hour_of_it() -> None:
    from flatness import growth

    noise = random.Random(8)
    found = growth(HOURS, [60 + 0.25 * at_h + noise.uniform(-2, 2) for at_h in HOURS], allowed=2.0)
    assert not found.flat
    assert found.per_hour == pytest.approx(0.25, abs=0.03)
    assert found.rise == pytest.approx(6, abs=1)


def test_a_leak_in_one_step_is_found_although_the_line_lies_flat() -> None:
    from flatness import growth

    found = growth(HOURS, [40.0 if at_h < 17.5 else 50.0 for at_h in HOURS], allowed=2.0)
    assert found.last - found.first == 10
    assert not found.flat


def test_one_outlier_is_no_leak_and_shows_as_the_highest() -> None:
    from flatness import growth

    values = [30.0] * len(HOURS)
    values[-2] = 400.0
    found = growth(HOURS, values, allowed=0.0)
    assert found.flat
    assert found.highest == 400


def test_what_grows_while_it_warms_up_does_not_count() -> None:
    from flatness import growth

    values = [10 + 20 * min(at_h, 1.0) for at_h in HOURS]
    assert growth(HOURS, values, allowed=0.0, warm_up_h=1.0).flat
    assert not growth(HOURS[:9], values[:9], allowed=0.0).flat


def test_falling_is_flat() -> None:
    from flatness import growth

    assert growth(HOURS, [100 - at_h for at_h in HOURS], allowed=0.0).flat


def test_a_thread_that_is_added_each_hour_is_a_leak() -> None:
    from flatness import growth

    assert not growth(HOURS, [8.0 + int(at_h) for at_h in HOURS], allowed=0.0, warm_up_h=1.0).flat


def test_nothing_is_said_of_too_few_measurements() -> None:
    from flatness import TooFewPoints, growth

    with pytest.raises(TooFewPoints, match=r"3 measurements after 23\.5 h of warm-up"):
        growth(HOURS, HOURS, allowed=0.0, warm_up_h=23.5)

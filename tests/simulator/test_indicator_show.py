"""``firsthand-sim indicators``: every pattern can be looked at without a camera."""

from __future__ import annotations

import io

import pytest

from device.indicators import CATALOG, Beat
from simulator.agency import INDICATORS
from simulator.cli import main
from simulator.indicator_show import drawn, frame, is_on, played
from simulator.world import lamps_text


def test_every_pattern_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["indicators"]) == 0
    out = capsys.readouterr().out
    for many in (CATALOG.states, CATALOG.conditions, CATALOG.plays):
        for name, one in many.items():
            assert f" {name}: {one.means}" in out


def test_one_pattern_can_be_asked_for_and_a_wrong_name_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["indicators", "low_battery"]) == 0
    out = capsys.readouterr().out
    assert "(every 20 s)" in out
    assert out.count("\n") == 4, "a heading, amber, haptic, tone"
    assert main(["indicators", "disco"]) == 64
    assert "'disco' is no pattern" in capsys.readouterr().err


def test_a_beat_is_on_and_off_as_often_as_it_says() -> None:
    twice = Beat(on_s=0.5, off_s=0.5, times=2)
    assert [is_on(twice, at / 10) for at in (0, 4, 5, 9, 10, 14, 15, 20, 25)] == [
        True, True, False, False, True, True, False, False, False,
    ]  # fmt: skip
    assert is_on(Beat(on_s=1, off_s=1), 100.5)
    assert is_on("on", 5)
    assert not is_on("off", 5)
    assert not is_on(None, 5)


def test_a_timeline_counts_what_is_felt() -> None:
    out = io.StringIO()
    drawn("condition low_battery", CATALOG.conditions["low_battery"], out)
    haptic = next(line for line in out.getvalue().splitlines() if "haptic" in line)
    assert haptic.split()[1].replace("·", " ").split() == ["██"] * 4


def test_a_played_pattern_takes_four_seconds_and_leaves_a_clean_line() -> None:
    out, slept = io.StringIO(), list[float]()
    played("play alarm", CATALOG.plays["alarm"], out, slept.append)
    assert sum(slept) == pytest.approx(4.0)
    assert "bzz" in out.getvalue()
    assert out.getvalue().endswith("\x1b[0m")
    assert "bzz" not in frame(CATALOG.plays["alarm"], 3.0)


def test_the_live_line_shows_the_lamps_of_the_board() -> None:
    assert lamps_text({}) == "···  "
    assert lamps_text({INDICATORS["red"]: 1, INDICATORS["haptic"]: 1}) == "·R·~ "
    assert lamps_text({INDICATORS["green"]: 0.15, INDICATORS["tone"]: 1}) == "g·· ♪"

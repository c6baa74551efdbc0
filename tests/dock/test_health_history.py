"""Each camera's health over time: samples that are thinned, and a log of contacts (R39)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_bench import bay_report

from dock.agent.report import power_of
from dock.bay_report import PowerReport
from dock.station.bays import Bay
from dock.station.health_history import GONE_S, sample_of, what_is_new
from dock.station.history_book import HistoryBook, Latest, Sample
from evidence.statements import moment

NOW_S = 1_800_000_000
DAY_S = 86_400


@pytest.fixture
def book(tmp_path: Path) -> Iterator[HistoryBook]:
    made = HistoryBook(tmp_path / "history.sqlite")
    yield made
    made.close()


def bay(at_s: int = NOW_S, **said: Any) -> Bay:
    return Bay(serial="SIM-0001", at=moment(at_s * 10**9), address="10.4.0.12", report=bay_report("SIM-0001", **said))


def sample(at_s: int, battery: int | None = 50) -> Sample:
    return Sample(at_s, battery, None, 10**9, 0, 0, 3)


def fill(book: HistoryBook, *moments: int) -> None:
    for at_s in moments:
        book.keep("SIM-0001", Latest(True, at_s, "2.4.0", ""), sample(at_s))


@pytest.mark.requirement("R39")
def test_the_first_report_is_a_docking_with_firmware_and_self_test() -> None:
    latest, new = what_is_new(None, bay(files=3, left=700, battery=41))
    assert [one.what for one in new] == ["docked", "firmware", "self_test"]
    assert new[0].details == {"address": "10.4.0.12", "battery": "41 %", "files": "3", "bytes": "700"}
    assert latest == Latest(True, NOW_S, "2.4.0", '{"verdict": "pass", "findings": ""}')


def test_a_report_like_the_one_before_is_nothing_new() -> None:
    latest, _ = what_is_new(None, bay())
    assert what_is_new(latest, bay(NOW_S + 5))[1] == []


def test_leaving_and_coming_back_are_told_with_their_times() -> None:
    latest, _ = what_is_new(None, bay())
    latest, new = what_is_new(latest, bay(NOW_S + 60, docked=False))
    assert [(one.what, one.at_s) for one in new] == [("left", NOW_S + 60)]
    _, new = what_is_new(latest, bay(NOW_S + 9000))
    assert [(one.what, one.at_s) for one in new] == [("docked", NOW_S + 9000)]


def test_a_camera_that_was_pulled_out_without_a_word_left_when_it_was_last_heard_of() -> None:
    latest, _ = what_is_new(None, bay())
    _, new = what_is_new(latest, bay(NOW_S + GONE_S + 1))
    assert [(one.what, one.at_s) for one in new] == [("left", NOW_S), ("docked", NOW_S + GONE_S + 1)]


@pytest.mark.requirement("R39")
def test_another_firmware_and_another_verdict_are_told() -> None:
    latest, _ = what_is_new(None, bay())
    checks = ({"name": "microphone", "result": "fail", "value": "silent"},)
    _, new = what_is_new(latest, bay(NOW_S + 9, firmware="2.5.0", self_test="block", checks=checks))
    assert [(one.what, one.details) for one in new] == [
        ("firmware", {"version": "2.5.0", "from": "2.4.0"}),
        ("self_test", {"verdict": "block", "findings": "microphone: fail silent"}),
    ]


@pytest.mark.requirement("R8", "R39")
def test_the_recorders_account_of_battery_and_heat_becomes_figures() -> None:
    said = power_of(
        {"battery_dc": 314, "zones_mc": {"cpu": 58_200, "gpu": 41_000}, "health_percent": 91.4, "cycles": 140}
    )
    assert said == PowerReport(battery_c=31, board_c=58, health_percent=91, cycles=140)
    assert power_of({"battery_dc": None, "zones_mc": None}) == PowerReport()
    assert power_of({"battery_dc": 10**9, "zones_mc": {"cpu": "hot"}, "cycles": "many"}) == PowerReport()
    taken = sample_of(bay(power=said))
    assert (taken.battery_c, taken.board_c) == (31, 58)


def test_what_nobody_said_stays_unknown(book: HistoryBook) -> None:
    taken = sample_of(bay(battery=None, offset_ms=None))
    assert (taken.battery, taken.offset_ms, taken.backlog) == (None, None, 0)
    book.keep("SIM-0001", Latest(True, NOW_S, "2.4.0", ""), taken)
    assert book.samples("SIM-0001", 0, most=10) == [taken]


def test_old_samples_are_thinned_and_the_newest_all_kept(book: HistoryBook) -> None:
    minutes = [NOW_S - DAY_S + 60 * one for one in range(30)]
    quarter = [NOW_S - 10 * DAY_S + 60 * one for one in range(30)]
    ages = [NOW_S - 100 * DAY_S + 60 * one for one in range(30)]
    gone = [NOW_S - 500 * DAY_S]
    fill(book, *minutes, *quarter, *ages, *gone)
    book.thin(NOW_S)
    left = [one.at_s for one in book.samples("SIM-0001", 0, most=10**9)]
    assert [one for one in left if one in minutes] == minutes
    assert len([one for one in left if one in quarter]) in (2, 3)
    assert len([one for one in left if one in ages]) == 1
    assert gone[0] not in left
    assert book.thin(NOW_S) == 0


def test_a_chart_gets_no_more_points_than_it_can_show(book: HistoryBook) -> None:
    fill(book, *range(NOW_S, NOW_S + 60_000, 60))
    shown = book.samples("SIM-0001", 0, most=100)
    assert 90 <= len(shown) <= 100
    assert shown[-1].at_s == NOW_S + 60_000 - 60


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    book = HistoryBook(tmp_path / "h.sqlite")
    fill(book, NOW_S)
    book.close()
    again = HistoryBook(tmp_path / "h.sqlite")
    assert again.latest("SIM-0001") == Latest(True, NOW_S, "2.4.0", "")
    assert len(again.samples("SIM-0001", 0, most=5)) == 1
    again.close()

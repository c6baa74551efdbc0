"""What the board says of a camera: green only if everything is as it must be (R8, R9, R30)."""

from __future__ import annotations

from typing import Any

import pytest
from page_bench import bay_report

from dock.bay_report import UpdateReport
from dock.station.bays import Bay
from dock.station.page.assets import Assets
from dock.station.page.board import SILENT_S, Card, Surroundings, card_of, empty_card, faults_of, summary_of
from dock.station.page.templates import build_templates
from evidence.handover import Status
from evidence.statements import moment

NOW_NS = 1_800_000_000_000_000_000
AT = moment(NOW_NS)


def card(around: Surroundings | None = None, *, age_s: int = 0, without_agent: bool = False, **said: Any) -> Card:
    report = bay_report("SIM-0001", **said)
    if without_agent:
        report = type(report)(status=report.status, offloading=None, agent="0.1.0")
    bay = Bay(serial="SIM-0001", at=moment(NOW_NS - age_s * 10**9), address="10.0.0.1", report=report)
    return card_of(bay, NOW_NS, around or Surroundings())


@pytest.mark.requirement("R8", "R30")
def test_green_is_charged_and_offloaded_and_up_to_date_and_without_fault() -> None:
    shown = card(Surroundings(newest_firmware="2.4.0"))
    assert (shown.kind, shown.word, shown.reason) == ("ready", "Ready", None)


@pytest.mark.requirement("R8", "R9", "R30")
@pytest.mark.parametrize(
    ("around", "said", "kind", "word"),
    [
        ({}, {"battery": 89}, "busy", "Charging"),
        ({}, {"files": 1, "left": 10}, "busy", "Transferring"),
        ({}, {"files": 1, "left": 0}, "busy", "Transferring"),
        ({}, {"without_agent": True}, "busy", "Connecting"),
        ({"newest_firmware": "2.5.0"}, {}, "busy", "Update waiting"),
        ({"holder": "Ada Okafor"}, {}, "busy", "Checked out"),
        ({}, {"recording": "SIM-0001-000009"}, "busy", "Recording"),
        ({}, {"do_not_use": ("microphone",)}, "fault", "Do not use"),
        ({}, {"self_test": "block"}, "fault", "Do not use"),
        ({}, {"state": "out_of_service"}, "fault", "Do not use"),
        ({}, {"files": 2, "left": 5, "trouble": "the store is full"}, "fault", "Offload stopped"),
        ({"lost": True}, {}, "fault", "Lost"),
        ({"lost": True}, {"docked": False}, "fault", "Lost"),
        ({}, {"seized": True}, "held", "In custody"),
        ({}, {"seized": True, "do_not_use": ("battery",)}, "held", "In custody"),
        ({}, {"docked": False}, "away", "Away"),
        ({}, {"age_s": SILENT_S + 1}, "away", "Away"),
    ],
)
def test_one_thing_amiss_is_not_green(around: dict[str, Any], said: dict[str, Any], kind: str, word: str) -> None:
    shown = card(Surroundings(**around), **said)
    assert (shown.kind, shown.word) == (kind, word)
    assert shown.kind in ("busy", "away") or shown.reason


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        ("downloading", "Updating"),
        ("installing", "Updating"),
        ("staged", "Update waiting"),
        ("failed", "Update failed"),
        ("rolled_back", "Went back"),
    ],
)
def test_an_update_in_work_is_amber_and_never_hides_a_fault(phase: Any, word: str) -> None:
    update = UpdateReport(version="2.5.0", phase=phase, percent=40)
    assert (card(update=update).kind, card(update=update).word) == ("busy", word)
    assert card(update=update, self_test="block").kind == "fault"


def test_a_camera_without_a_battery_of_its_own_counts_as_charged() -> None:
    assert card(battery=None).kind == "ready"


@pytest.mark.requirement("R9")
def test_what_a_supervisor_has_overridden_is_a_warning_and_no_fault() -> None:
    shown = card(do_not_use=("microphone",), overrides=("microphone",), self_test="block")
    assert shown.kind == "ready"
    assert shown.faults == ()
    assert shown.warnings == ("microphone overridden by a supervisor",)


@pytest.mark.requirement("R9")
def test_another_fault_beside_an_overridden_one_is_still_red() -> None:
    shown = card(do_not_use=("microphone", "storage"), overrides=("microphone",))
    assert (shown.kind, shown.reason) == ("fault", "Failed: storage.")


def test_a_fault_is_told_with_what_the_self_test_measured() -> None:
    status: Status = bay_report("SIM-0001", do_not_use=("microphone",)).status
    checks: tuple[dict[str, Any], ...] = (
        {"name": "microphone", "result": "fail", "value": "silent"},
        {"name": "gps", "result": "warn", "value": "no fix"},
    )
    assert faults_of(status, checks) == ("microphone: silent",)


def test_the_bar_grows_from_the_most_that_waited() -> None:
    assert card(Surroundings(peak_bytes=1000), files=2, left=250).done_percent == 75


def test_bays_stand_in_the_order_of_their_numbers() -> None:
    names = ["Bay 10", "Bay 2", "Bay 1"]
    assert sorted(names, key=lambda name: empty_card(name).sort) == ["Bay 1", "Bay 2", "Bay 10"]


def test_the_tally_counts_each_state() -> None:
    tally = summary_of([card(), card(battery=5), card(docked=False), card(seized=True), card(self_test="block")])
    assert (tally.ready, tally.busy, tally.fault, tally.held, tally.away) == (1, 1, 1, 1, 1)


def test_what_is_wrong_with_the_station_itself_stands_above_the_bays() -> None:
    summary = summary_of([card()], ("Receipts wait: the store is away.",))
    template = build_templates(Assets()).get_template("summary.html")
    assert "Receipts wait: the store is away." in template.render(summary=summary)
    assert "wait" not in template.render(summary=summary_of([card()]))

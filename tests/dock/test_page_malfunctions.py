"""The supervisors' queue on the dock page (R11, R29), with the keyboard alone where it says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from page_bench import Bench, keep_picture, log_in, open_bench, steps
from playwright.sync_api import BrowserContext, Page, expect

from dock.bay_report import KeptFile

expect.set_options(timeout=60_000)
ITEM: dict[str, Any] = {
    "id": 7,
    "cause": "silent_microphone",
    "component": "microphone",
    "noticed": "2026-11-20T08:15:00.000000Z",
    "recording": "SIM-0001-000004",
    "frames": 12,
    "told": True,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("malfunctions"))
    opened.report("SIM-0001", queue=(ITEM,))
    opened.report("SIM-0002")
    yield opened
    opened.close()


def tab_to(tab: Page, name: str) -> None:
    """Press Tab until the focus is on what has that label or text."""
    for _ in range(60):
        tab.keyboard.press("Tab")
        label = tab.evaluate(
            "() => { const one = document.activeElement; return (one.labels && one.labels.length ? "
            "one.labels[0].textContent : one.textContent).trim(); }"
        )
        if label == name:
            return
    raise AssertionError(f"no way to {name!r} by keyboard")


@pytest.mark.requirement("R11", "R29", "R33")
def test_a_supervisor_closes_what_a_camera_noticed_by_keyboard_alone(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "sup1", path="/malfunctions")
    expect(tab.get_by_role("row", name="silent microphone")).to_contain_text("SIM-0001-000004")
    tab_to(tab, "1 SIM-0001 silent microphone")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Malfunction 1: SIM-0001")).to_be_visible()
    expect(tab.get_by_text("12 frames missing")).to_be_visible()
    tab_to(tab, "Note")
    tab.keyboard.type("Asked for another one.")
    tab_to(tab, "Keep the note")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("Your note is kept.")
    tab_to(tab, "How it ended")
    tab.keyboard.type("Replaced")
    tab_to(tab, "What was found and done")
    tab.keyboard.type("Microphone is torn off.")
    tab_to(tab, "Close malfunction 1")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alert")).to_have_text("Name the camera that replaced it.")
    tab_to(tab, "Replaced by camera")
    tab.keyboard.type("SIM-0002")
    tab_to(tab, "Close malfunction 1")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("Malfunction 1 is closed.")
    expect(tab.get_by_text("Nothing waits for a supervisor.")).to_be_visible()
    tab.goto(f"{bench.page_url}/malfunctions/1")
    expect(tab.get_by_text("Closed: replaced, by SIM-0002")).to_be_visible()
    expect(tab.get_by_text("Asked for another one.")).to_be_visible()
    keep_picture("malfunction", tab)
    (noticed,) = steps(bench, "malfunction")
    assert (noticed.who, noticed.name) == ("camera SIM-0001", "SIM-0001-000004.evidence")
    (closed,) = steps(bench, "malfunction_closed")
    assert (closed.who, closed.serial) == ("sup1", "SIM-0001")
    assert closed.details["replacement"] == "SIM-0002"
    assert closed.details["text"] == "Microphone is torn off."


@pytest.mark.requirement("R29")
def test_a_queue_that_is_told_again_makes_no_second_item(bench: Bench, context: BrowserContext) -> None:
    over = {**ITEM, "end": "2026-11-20T08:16:00.000000Z"}
    fresh = {**ITEM, "id": 8, "cause": "frozen_picture", "component": "camera"}
    bench.report("SIM-0001", queue=(over, fresh))
    tab = log_in(context, bench, "tech1", path="/malfunctions?show=all")
    expect(tab.get_by_role("row", name="frozen picture")).to_be_visible()
    assert tab.get_by_role("row", name="silent microphone").count() == 1
    tab.get_by_role("link", name="1 SIM-0001").click()
    expect(tab.get_by_role("heading", name="Malfunction 1: SIM-0001")).to_be_visible()
    assert tab.get_by_role("button", name="Close malfunction").count() == 0  # that is a supervisor's


@pytest.mark.requirement("R11")
def test_an_officer_reports_a_fault_and_sees_no_queue(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "ofc1", path="/faults")
    assert tab.get_by_role("link", name="Malfunctions").count() == 0
    tab.get_by_label("Camera", exact=True).select_option("SIM-0002")
    tab.get_by_label("What is wrong").select_option("mount")
    tab.get_by_label("What you noticed, and when").fill("<b>It fell off</b> twice today.")
    tab.get_by_role("button", name="Tell the supervisor").click()
    expect(tab.get_by_role("status")).to_contain_text("SIM-0002")
    tab.goto(f"{bench.page_url}/malfunctions")
    expect(tab.get_by_role("heading", name="Not allowed")).to_be_visible()
    assert [one.details["path"] for one in steps(bench, "page_denied") if one.who == "ofc1"] == ["/malfunctions"]
    (reported,) = steps(bench, "malfunction_reported")
    assert (reported.who, reported.serial, reported.details["component"]) == ("ofc1", "SIM-0002", "mount")
    supervisor = log_in(context.browser.new_context(ignore_https_errors=True), bench, "sup1", path="/malfunctions")
    supervisor.get_by_role("link", name="SIM-0002 reported").click()
    expect(supervisor.get_by_text("<b>It fell off</b> twice today.")).to_be_visible()


@pytest.mark.requirement("R33")
def test_an_administrator_finds_who_did_what_from_where(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "adm1", path="/audit")
    expect(tab.get_by_role("row", name="adm1").first).to_contain_text("login")
    tab.get_by_label("Person").fill("SUP1")
    tab.get_by_label("Action", exact=True).select_option("page_malfunction_close")
    tab.get_by_role("button", name="Filter").click()
    row = tab.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("sup1")
    expect(row).to_contain_text("127.0.0.1")
    tab.goto(f"{bench.page_url}/people")
    expect(tab.get_by_role("row", name="Grace Lindqvist")).to_contain_text("officer, supervisor")


@pytest.mark.requirement("R11", "R38")
def test_alarms_tell_of_kept_files_and_of_a_camera_that_a_supervisor_reports_stolen(
    bench: Bench, context: BrowserContext
) -> None:
    kept = KeptFile(
        name="SIM-0003-000001.evidence", verdict="rejected", reason="not a file", since="2026-11-20T08:15:00.000000Z"
    )
    bench.report("SIM-0003", kept=(kept,))
    tab = log_in(context, bench, "sup1", path="/cameras/SIM-0003")
    expect(tab.get_by_role("link", name="Alarms 1")).to_be_visible()
    tab.get_by_text("Report it lost or stolen").click()
    tab.get_by_label("How", exact=True).select_option("stolen")
    tab.get_by_label("Who reported it").fill("Officer Okafor, out of the car, 21:40")
    tab.get_by_role("button", name="Report SIM-0003").click()
    expect(tab.locator(".message")).to_contain_text("SIM-0003 is reported as stolen.")
    expect(tab.get_by_role("row", name="out of the car")).to_contain_text("sup1")
    expect(tab.get_by_role("row", name="SIM-0003-000001.evidence")).to_contain_text("rejected: not a file")
    (entry,) = steps(bench, "stolen")
    assert (entry.who, entry.serial) == ("sup1", "SIM-0003")
    tab.goto(f"{bench.page_url}/")
    expect(tab.locator("#bay-SIM-0003")).to_contain_text("Reported lost or stolen")

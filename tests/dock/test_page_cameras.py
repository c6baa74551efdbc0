"""The technicians' view of one camera on the dock page (R39)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dock_bench import poll_until
from page_bench import Bench, keep_picture, log_in, open_bench
from playwright.sync_api import Browser, BrowserContext, expect

from dock.bay_report import PowerReport

expect.set_options(timeout=60_000)
WARM = PowerReport(battery_c=31, board_c=58, health_percent=91, cycles=140)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("cameras"), cameras=1)
    checks = ({"name": "microphone", "result": "fail", "value": "silent", "advice": "Have it replaced"},)
    opened.report("SIM-0001", battery=61, self_test="block", checks=checks, offset_ms=37, power=WARM, proof_missing=3)
    yield opened
    opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 800})
    yield made
    made.close()


@pytest.mark.requirement("R39")
def test_a_technician_sees_charts_and_the_same_figures_as_a_table(bench: Bench, context: BrowserContext) -> None:
    faults: list[str] = []
    tab = log_in(context, bench, "tech1", path="/cameras")
    tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    expect(tab.get_by_role("row", name="SIM-0001")).to_contain_text("Do not use")
    tab.get_by_role("link", name="SIM-0001").click()
    expect(tab.get_by_text("microphone: silent. Have it replaced")).to_be_visible()
    expect(tab.get_by_text("3 files: stored and receipted, but nobody has shown yet")).to_be_visible()
    poll_until(lambda: tab.reload() and tab.locator("#charts").count(), why="the first sample")
    expect(tab.locator("#charts[data-drawn=yes] canvas")).to_have_count(6)
    tab.get_by_text("The same as a table").click()
    expect(tab.get_by_role("cell", name="61 %", exact=True)).to_be_visible()
    expect(tab.get_by_role("cell", name="58", exact=True)).to_be_visible()
    expect(tab.get_by_text("91 % of its capacity when new")).to_be_visible()
    expect(tab.get_by_role("cell", name="37 ms", exact=True)).to_be_visible()
    expect(tab.get_by_role("row", name="Docked")).to_contain_text("61 %")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults == []
    keep_picture("camera", tab)


@pytest.mark.requirement("R33", "R39")
def test_an_officer_sees_how_a_camera_is_and_no_history(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "ofc1", path="/cameras/SIM-0001")
    expect(tab.get_by_role("heading", name="SIM-0001")).to_be_visible()
    assert tab.get_by_text("Contacts and changes").count() == 0
    answer = context.request.get(f"{bench.page_url}/cameras/SIM-0001/history")
    assert answer.status == 403


def test_a_camera_that_never_reported_is_not_found(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "tech1", path="/cameras/SIM-9999")
    expect(tab.get_by_role("heading", name="Not found")).to_be_visible()
    expect(tab.get_by_text("No camera of that serial ever reported here.")).to_be_visible()

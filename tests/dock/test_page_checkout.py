"""Checkout on the dock page (R8, R9, R10, R32), with a desk that signs real assignments."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from page_bench import PASSWORD, Bench, keep_picture, log_in, open_bench, steps
from playwright.sync_api import Browser, BrowserContext, expect

from dock.station.people import People
from dock.station.person import Person

expect.set_options(timeout=60_000)
ROOM = {"storage_minutes_left": 1200}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("checkout"), cameras=4, desk=True, page="wall = true")
    people = People(opened.data, utc_ns=time.time_ns)
    today = dt.datetime.now(dt.UTC).date()
    for one in people.all():
        people.train(one.id, today + dt.timedelta(days=100), who="bench")
    for number in (2, 3):
        people.add(Person(f"ofc{number}", f"Officer {number}", None, frozenset({"officer"}), None), who="bench")
        people.set_pin(f"ofc{number}", "8317", who="bench")
    people.train("ofc2", today, who="bench")
    people.close()
    yield opened
    opened.close()


@pytest.fixture
def context(bench: Bench, browser: Browser) -> Iterator[BrowserContext]:
    bench.report("SIM-0001", battery=40, **ROOM)
    bench.report("SIM-0002", battery=99, **ROOM)
    bench.report("SIM-0003", battery=95, **ROOM)
    bench.report("SIM-0004", battery=99, do_not_use=("microphone",), self_test="block", **ROOM)
    made = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.mark.requirement("R8", "R9", "R10")
def test_an_officer_takes_the_best_camera_and_sees_why_not_the_others(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "ofc1", path="/checkout")
    expect(tab.locator(".choice.best")).to_contain_text("SIM-0002")
    expect(tab.get_by_role("row", name="SIM-0001")).to_contain_text("has a charge of 40 %, and needs 90 %")
    expect(tab.get_by_role("row", name="SIM-0004")).to_contain_text("must not be used: microphone")
    keep_picture("checkout", tab)
    tab.get_by_label("Shift").first.focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status", name="Your camera")).to_contain_text("Take SIM-0002")
    expect(tab.get_by_role("status", name="Your camera")).to_contain_text("If it fails: SIM-0003")
    (entry,) = steps(bench, "page_checkout")
    assert (entry.who, entry.serial, entry.details["officer"]) == ("ofc1", "SIM-0002", "ofc1")
    (checkout,) = steps(bench, "checkout")
    assert checkout.details["identified_by"] == "password"
    tab.goto(f"{bench.page_url}/")
    expect(tab.locator("#bay-SIM-0002")).to_contain_text("Handed out to Ada Okafor")
    tab.goto(f"{bench.page_url}/wall")
    expect(tab.locator("#bay-SIM-0002")).to_contain_text("Checked out")
    assert "Okafor" not in tab.content()


@pytest.mark.requirement("R10")
def test_a_failed_camera_is_replaced_within_the_same_shift(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "ofc1", path="/checkout")
    tab.get_by_label("What is wrong with SIM-0002").fill("The lens is cracked")
    tab.get_by_role("button", name="Replace SIM-0002").click()
    expect(tab.get_by_role("status", name="Your camera")).to_contain_text("It replaces SIM-0002")
    first, second = steps(bench, "checkout")
    assert second.details["shift"] == first.details["shift"]
    tab.goto(f"{bench.page_url}/")
    expect(tab.locator("#bay-SIM-0002")).to_contain_text("The lens is cracked")
    tab.goto(f"{bench.page_url}/wall")
    expect(tab.locator("#bay-SIM-0002")).to_contain_text("Kept back")
    assert "cracked" not in tab.content()
    tab.goto(f"{bench.page_url}/checkout")
    tab.get_by_role("button", name="Hand in SIM-0003").click()
    expect(tab.locator(".message")).to_have_text("SIM-0003 is handed in.")


@pytest.mark.requirement("R32")
def test_at_a_shared_screen_a_pin_is_needed_and_training_counts(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "tech1", path="/checkout")
    assert tab.get_by_role("button", name="Check out for me").count() == 0
    tab.get_by_label("Identifier").fill("ofc3")
    tab.get_by_label("PIN").fill("8317")
    tab.get_by_role("button", name="Check out", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("no training is on record")
    tab.get_by_label("Identifier").fill("ofc2")
    tab.get_by_label("PIN").fill("0000")
    tab.get_by_role("button", name="Check out", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("The identifier or the PIN is wrong.")
    assert "0000" not in tab.content()


@pytest.mark.requirement("R9", "R33")
def test_only_a_supervisor_takes_on_what_is_wrong(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "sup1", path="/checkout")
    tab.get_by_label("Identifier").fill("ofc2")
    tab.get_by_label("PIN").fill("8317")
    tab.get_by_text("A certain camera, or a supervisor's override").click()
    tab.get_by_label("Camera", exact=True).first.select_option("SIM-0004")
    tab.get_by_role("button", name="Check out", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("must not be used: microphone")
    tab.get_by_label("Identifier").fill("ofc2")
    tab.get_by_label("PIN").fill("8317")
    tab.get_by_text("A certain camera, or a supervisor's override").click()
    tab.get_by_label("Camera", exact=True).first.select_option("SIM-0004")
    tab.get_by_label("I take on what is wrong with it").check()
    tab.get_by_label("Why", exact=True).fill("Nothing else is charged")
    tab.get_by_role("button", name="Check out", exact=True).click()
    expect(tab.get_by_role("status", name="Your camera")).to_contain_text("Take SIM-0004")
    entry = steps(bench, "checkout")[-1]
    assert (entry.details["supervisor"], entry.details["reason"]) == ("sup1", "Nothing else is charged")
    with bench.client() as client:
        token = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
        client.post("/login", data={"csrf": token, "person": "ofc1", "password": PASSWORD})
        token = client.get("/checkout").text.partition('name="csrf" value="')[2].partition('"')[0]
        forced = client.post("/checkout", data={"csrf": token, "camera": "SIM-0001", "override": "yes", "reason": "me"})
        assert forced.status_code == 403
        assert client.post("/withhold", data={"csrf": token, "camera": "SIM-0001", "reason": "x"}).status_code == 403

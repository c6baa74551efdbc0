"""The dock page for everybody: labels, contrast (WCAG 2.2 AA), keyboard, any screen, no outside request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from dock_bench import TUS, Client, poll_until
from dock_camera import Camera
from page_bench import Bench, keep_picture, log_in, open_bench
from playwright.sync_api import Browser, Page, expect

from dock.bay_report import KeptFile

expect.set_options(timeout=60_000)
SINCE = "2026-11-20T08:15:00.000000Z"
PAGES = (
    ("sup1", "/"),
    ("sup1", "/checkout"),
    ("sup1", "/cameras"),
    ("sup1", "/cameras/SIM-0002"),
    ("sup1", "/recordings"),
    ("sup1", "/recordings/SIM-0001-000001"),
    ("sup1", "/malfunctions"),
    ("sup1", "/malfunctions/1"),
    ("sup1", "/faults"),
    ("sup1", "/alarms"),
    ("adm1", "/people"),
    ("adm1", "/audit"),
    ("adm1", "/malfunctions"),
    ("adm1", "/wall"),
)
LOOK = (Path(__file__).parent / "page_look.js").read_text()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("access"), cameras=6, desk=True, page="wall = true")
    spool = opened.directory / "spool"
    spool.mkdir()
    data = (spool / Camera(opened.pki, spool).record(1).name).read_bytes()
    client = Client(opened.station.port, opened.pki)
    _, headers, _ = client.create("SIM-0001-000001.evidence", len(data))
    client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())
    poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"), why="it is on the pages")
    client.close()
    item: dict[str, Any] = {"id": 1, "cause": "frozen_picture", "component": "camera"}
    checks = (
        {"name": "microphone", "result": "fail", "value": "silent"},
        {"name": "gnss", "result": "warn", "value": "no fix"},
    )
    opened.report("SIM-0001", queue=({**item, "noticed": SINCE},))
    opened.report("SIM-0002", do_not_use=("microphone",), self_test="block", checks=checks)
    opened.report("SIM-0003", files=2, left=3_000_000_000, speed=50_000_000, minutes=1, battery=50)
    opened.report("SIM-0004", seized=True)
    opened.report("SIM-0005", docked=False, kept=(KeptFile(name="a", verdict="rejected", reason="b", since=SINCE),))
    opened.report("SIM-0006", self_test="warn", checks=checks[1:])
    yield opened
    opened.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1920), ("dark", 360)])
def test_every_page_is_labelled_readable_and_fits_the_screen(
    bench: Bench, browser: Browser, scheme: Any, width: int
) -> None:
    context = browser.new_context(
        ignore_https_errors=True, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    asked: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    tab = context.new_page()
    tab.goto(f"{bench.page_url}/login")
    assert tab.evaluate(LOOK) == [], "/login"
    tabs: dict[str, Page] = {}
    for person, path in PAGES:
        if person not in tabs:
            context.clear_cookies()
            tabs[person] = log_in(context, bench, person)
        faults.clear()
        tabs[person].goto(f"{bench.page_url}{path}")
        assert tabs[person].evaluate(LOOK) == [], f"{path} of {person}, {scheme}"
        assert tabs[person].evaluate("document.documentElement.scrollWidth") <= width, path
        assert [one for one in faults if "403" not in one] == []
        keep_picture(f"{path.strip('/').replace('/', '_') or 'board'}-{width}", tabs[person])
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(bench.page_url).netloc}
    assert any("/live" in url for url in asked)
    context.close()


def test_the_look_at_a_page_finds_what_is_wrong(browser: Browser) -> None:
    tab = browser.new_page()
    tab.set_content(
        '<html lang="en"><main><h1>One</h1><h3>Three</h3><p style="color: #888; background: #fff">grey</p><input>'
        '<button></button><i id="a"></i><b id="a"></b></main></html>'
    )
    said = " ".join(tab.evaluate(LOOK))
    for wrong in ("no label", "no name", "heading leaves a level out", "inline", "contrast 3.54", "id twice: a"):
        assert wrong in said
    tab.close()


def test_the_keyboard_goes_everywhere_with_a_ring_to_be_seen(bench: Bench, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True)
    tab = log_in(context, bench, "sup1")
    expect(tab.get_by_role("heading", name="Bays")).to_be_visible()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    expect(tab.get_by_text("Skip to the content")).to_be_in_viewport()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "SIM-0001"
    ring = tab.evaluate(
        "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
    )
    assert ring == ["solid", "3px"]
    bench.report("SIM-0001", battery=12)
    expect(tab.locator("#bay-SIM-0001")).to_contain_text("12 %")
    assert tab.evaluate("document.activeElement.textContent") == "SIM-0001"  # the card changed, the focus stayed
    context.close()


@pytest.mark.parametrize(("motion", "animation"), [("no-preference", "pulse"), ("reduce", "none")])
def test_amber_pulses_unless_the_viewer_wants_no_motion(
    bench: Bench, browser: Browser, motion: Any, animation: str
) -> None:
    context = browser.new_context(ignore_https_errors=True, reduced_motion=motion)
    tab = context.new_page()
    bench.report("SIM-0003", files=2, left=3_000_000_000, battery=50)  # one that was silent would be grey by now
    tab.goto(f"{bench.page_url}/wall")
    name = tab.locator("#bay-SIM-0003 .bay-state").evaluate("(one) => getComputedStyle(one).animationName")
    assert name == animation
    context.close()

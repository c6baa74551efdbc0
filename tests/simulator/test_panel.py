"""The control panel in a browser: a stranger's first minute, by mouse, by keyboard, on a phone; and who it refuses."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import chromium
from panel_bench import Tab, looked_at, order, served
from playwright.sync_api import Browser, FloatRect, Page, expect

LOOK = (Path(__file__).parents[1] / "dock" / "page_look.js").read_text("utf-8")
SOON_MS = 120_000
PATIENCE_S = 120


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One panel for this file: its world begins anew only where a test says so."""
    with served(tmp_path_factory.mktemp("panel")) as url:
        yield url


def record_and_stop(tab: Tab) -> None:
    """With the keyboard, as the page says it."""
    tab.press("r")
    tab.press("r")
    tab.until("#state-pill", "recording")
    tab.press("l")
    expect(tab.page.locator("[data-line=lightbar]")).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
    tab.press("r")  # a marker
    expect(tab.page.locator("#files")).to_contain_text("marker", timeout=SOON_MS)
    tab.hold("r", until="confirming stop")
    tab.press("r")
    tab.until("#state-pill", "ready")


def test_the_first_minute_by_keyboard_from_the_press_to_the_verified_video(browser: Browser, panel: str) -> None:
    with looked_at(browser, panel) as tab:
        page = tab.page
        tab.begin()
        assert page.evaluate(LOOK) == []
        record_and_stop(tab)
        tab.press("d")
        tab.until("#state-pill", "docked")
        tab.until("#stored", "Recording 1")
        page.get_by_role("button", name="Verify and play").click()
        tab.until(".verdict", "Everything holds")
        expect(page.locator(".verdicts li.good")).to_have_count(6)
        page.evaluate("document.querySelector('video').play()")
        expect(page.locator(".player .time")).to_contain_text(re.compile("0:0[1-9] of"), timeout=SOON_MS)
        expect(page.locator(".markers li").nth(2)).to_be_attached()
        page.evaluate("video = document.querySelector('video'); video.pause(); video.currentTime = 0")
        tab.until(".player .time", "0:00 of")
        dot = page.locator("circle.dot")
        before = dot.get_attribute("cx") or ""
        page.evaluate("video.currentTime = video.duration - 0.2")
        expect(dot).not_to_have_attribute("cx", before, timeout=SOON_MS)
        page.get_by_role("button", name="Change one bit of a copy").click()
        tab.until(".forged.good", "One bit was changed, and the copy is refused")
        expect(page.locator("#guide li.done")).to_have_count(6)
        assert all(one.startswith(panel) for one in tab.asked), "a request went elsewhere"
        assert tab.complaints == []


def resting(page: Page, what: str) -> FloatRect:
    """Where a part of the page is once it has stopped moving: what is grabbed before that is missed."""
    before = None
    while (now := page.locator(what).bounding_box()) != before or now is None:
        before = now
        page.wait_for_timeout(100)
    return now


def test_a_mouse_presses_the_drawn_button_and_drags_the_camera_into_its_dock(browser: Browser, panel: str) -> None:
    with looked_at(browser, panel) as tab:
        page = tab.page
        tab.begin()
        # With the mouse alone: a locator's `click` scrolls the page about while the camera shakes, no hand does.
        page.mouse.move(*middle(resting(page, "#camera .record-cap")))
        press(page)
        press(page)
        tab.until("#state-pill", "recording")
        expect(page.locator("#rec-mark")).to_contain_text("REC SIM-0001")
        page.mouse.down()
        tab.until("#state-pill", "confirming stop")
        page.mouse.up()
        press(page)
        tab.until("#state-pill", "ready")
        lens = resting(page, "#camera .ring")
        well = resting(page, "#bay .bay-well")
        page.mouse.move(*middle(lens))
        page.mouse.down()
        expect(page.locator("#camera")).to_have_class(re.compile("dragged"), timeout=SOON_MS)
        page.mouse.move(*middle(well), steps=8)
        expect(page.locator("#bay")).to_have_class(re.compile("open"), timeout=SOON_MS)
        held = resting(page, "#camera .ring")
        assert abs(middle(held)[0] - middle(well)[0]) < 5, "the camera does not follow the hand"
        page.mouse.up()
        tab.until("#told", "dock")
        tab.until("#state-pill", "docked")
        assert tab.complaints == []


def press(page: Page) -> None:
    """A short press where the mouse is."""
    page.mouse.down()
    page.wait_for_timeout(120)
    page.mouse.up()


def middle(box: FloatRect) -> tuple[float, float]:
    """Where a hand takes hold of it."""
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_camera_never_moves_from_under_the_hand_while_its_state_changes(browser: Browser, panel: str) -> None:
    with looked_at(browser, panel) as tab:
        page = tab.page
        tab.begin()
        page.evaluate("""() => {
            window.heights = new Set();
            const desk = document.querySelector("#desk");
            const look = () => {
                heights.add(Math.round(desk.getBoundingClientRect().y + scrollY));
                requestAnimationFrame(look);
            };
            look();
        }""")
        tab.press("r")
        tab.press("r")
        tab.until("#state-pill", "recording")
        tab.hold("r", until="confirming stop")
        tab.press("r")
        tab.until("#state-pill", "ready")
        tab.press("d")
        tab.until("#state-pill", "docked")
        tab.press("d")
        tab.until("#state-pill", "ready")
        assert len(page.evaluate("[...heights]")) == 1


def test_sliders_lines_and_faults_reach_the_real_camera(browser: Browser, panel: str) -> None:
    with looked_at(browser, panel) as tab:
        page = tab.page
        tab.begin()
        page.locator("#battery").fill("41")
        tab.until("#battery-word", "41 %")
        page.get_by_role("button", name="Lose GPS").click()
        tab.until("#gps-word", "no fix")
        page.get_by_role("button", name="Find GPS").click()
        tab.until("#gps-word", "satellites")
        page.get_by_text("Camera", exact=False).filter(has=page.locator(".count")).first.click()
        stall = page.locator('[data-fault="camera.stall"]')
        stall.click()
        expect(stall).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
        tab.until("#told", "must")
        expect(page.locator("#blind")).to_be_visible(timeout=SOON_MS)
        stall.click()
        expect(stall).to_have_attribute("aria-pressed", "false", timeout=SOON_MS)
        expect(page.locator("#blind")).to_be_hidden(timeout=SOON_MS)
        assert order(panel, {"order": "do", "words": "light bar off"}).status_code == 200, "a light starts it"
        assert order(panel, {"order": "do", "words": "power cut"}).status_code == 200, "its settings were on the card"
        tab.until("#state-pill", "ready")
        page.keyboard.down("f")
        function = page.locator(".keys [data-hold=function]")
        expect(function).to_have_class("down")
        page.evaluate("window.dispatchEvent(new Event('blur'))")  # the window is left with a finger on the key
        expect(function).not_to_have_class("down")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, panel: str, scheme: str) -> None:
    with looked_at(browser, panel, viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True) as tab:
        tab.begin()
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert tab.page.evaluate(LOOK) == []
        if scheme == "dark":
            return
        tab.page.locator(".keys [data-hold=emergency]").tap()
        tab.until("#state-pill", "recording")
        order(panel, {"order": "do", "words": "hold record button"})
        order(panel, {"order": "do", "words": "press record button once"})
        tab.until("#state-pill", "ready")


def test_a_scenario_begins_a_new_world_and_tells_its_steps(browser: Browser, panel: str) -> None:
    with looked_at(browser, panel) as tab:
        tab.begin()
        tab.page.get_by_role("button", name="Show me").click()
        tab.until("#tell", "The camera has tested itself")
        expect(tab.page.locator("#stored article")).to_have_count(0)
        refused = order(panel, {"order": "do", "words": "press record button twice"})
        assert refused.status_code == 409
        assert "a scenario is playing" in refused.json()["error"]
        tab.page.get_by_role("button", name="Leave the scenario").click()
        expect(tab.page.get_by_role("button", name="Show me")).to_be_visible(timeout=SOON_MS)
        assert order(panel, {"order": "line", "line": "siren", "active": False}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
    ],
)
def test_only_its_own_page_on_this_computer_may_ask(panel: str, headers: dict[str, str], status: int) -> None:
    answer = order(panel, {"order": "line", "line": "siren", "active": False}, **headers)
    assert answer.status_code == status


def test_an_order_without_the_panels_header_is_refused(panel: str) -> None:
    answer = httpx.post(f"{panel}order", content=b'{"order":"anew"}', timeout=PATIENCE_S)
    assert answer.status_code == 403
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    ["export/../pki/root.pem", "export/%2e%2e%2fpki%2froot.pem", "export/x.pem", "assets/../app.py", "assets/%2e%2e"],
)
def test_nothing_but_exports_and_assets_is_given_out(panel: str, path: str) -> None:
    assert httpx.get(f"{panel}{path}", timeout=PATIENCE_S).status_code == 404


def test_pages_that_never_close_do_not_pile_up(panel: str) -> None:
    with httpx.Client(timeout=PATIENCE_S) as client:
        streams = [client.stream("GET", f"{panel}events").__enter__() for _ in range(15)]
        answers = [one.status_code for one in streams]
        for one in streams:
            one.close()
    assert answers[0] == 200
    deadline_s = time.monotonic() + PATIENCE_S
    while httpx.get(f"{panel}facts.json", timeout=PATIENCE_S).status_code != 200:
        assert time.monotonic() < deadline_s, "the panel does not answer any more"

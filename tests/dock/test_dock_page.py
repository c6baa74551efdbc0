"""The dock page in Chromium, served by the real station process (R30, R33)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from page_bench import PASSWORD, Bench, keep_picture, log_in, open_bench, steps
from playwright.sync_api import Browser, BrowserContext, expect

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    opened = open_bench(tmp_path_factory.mktemp("page"), page='wall = true\nbays = {"10.9.9.9" = "Bay 12"}')
    yield opened
    opened.close()


@pytest.mark.requirement("R33")
def test_nobody_gets_in_without_logging_in_and_is_led_back_afterwards(bench: Bench, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(f"{bench.page_url}/")
    expect(tab.get_by_role("heading", name="station-1")).to_be_visible()
    tab.get_by_label("Identifier").fill("ofc1")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Bays")).to_be_visible()
    expect(tab.get_by_text("Ada Okafor")).to_be_visible()
    (cookie,) = context.cookies()
    assert cookie["name"] == "__Host-firsthand"
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Strict"
    assert any(entry.who == "ofc1" for entry in steps(bench, "page_login"))
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_label("Identifier")).to_be_visible()
    assert context.cookies() == [] or all(one["name"] != "__Host-firsthand" for one in context.cookies())
    assert steps(bench, "page_logout")


@pytest.mark.requirement("R33")
def test_a_wrong_password_says_so_and_the_sixth_try_is_locked_out(bench: Bench, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(f"{bench.page_url}/login")
    for _ in range(5):
        tab.get_by_label("Identifier").fill("tech1")
        tab.get_by_label("Password").fill("not the password")
        with tab.expect_navigation():  # the page before says the same
            tab.get_by_role("button", name="Log in").click()
        expect(tab.get_by_role("alert")).to_contain_text("do not belong together")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("alert")).to_contain_text("Too many wrong tries: try again in")
    assert len([one for one in steps(bench, "page_login_failed") if one.who == "tech1"]) == 5
    assert [one.details["from_address"] for one in steps(bench, "page_login_locked")] == ["127.0.0.1"]
    keep_picture("locked", tab)


def test_a_change_without_the_sessions_token_is_refused_and_audited(bench: Bench) -> None:
    with bench.client() as client:
        page = client.get("/login")
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token is not None
        form = {"csrf": token[1], "person": "sup1", "password": PASSWORD, "next": "//evil.example/"}
        assert client.post("/login", data={**form, "csrf": "another"}).status_code == 403
        assert client.post("/login", data=form, headers={"Origin": "https://evil.example"}).status_code == 403
        entered = client.post("/login", data=form)
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert client.get("/").status_code == 200
        assert client.post("/logout", data={"a": "b"}).status_code == 403
        assert client.post("/logout", data={"csrf": "x" * 43}).status_code == 403
        assert client.post("/logout", json={}).status_code == 415
        assert client.post("/logout", data={"text": "x" * 20_000}).status_code == 413
        assert (
            client.post(
                "/logout", content=b"csrf=%FF", headers={"content-type": "application/x-www-form-urlencoded"}
            ).status_code
            == 400
        )
        assert client.get("/").status_code == 200
    assert [one.who for one in steps(bench, "page_forged")] == ["sup1", "sup1"]


def test_every_answer_tells_the_browser_to_load_nothing_from_elsewhere(bench: Bench) -> None:
    with bench.client() as client:
        for path in ("/login", "/wall", "/no-such-page", "/assets/0000/page.css"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src")
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
        style = re.search(r'href="(/assets/[0-9a-f]{16}/page\.css)"', client.get("/login").text)
        assert style is not None
        assert "immutable" in client.get(style[1]).headers["cache-control"]
        assert client.get("/assets/..%2fpart.py").status_code == 404


HOSTILE = ("9" * 40, "-1", "%00", "..%2f..%2fetc%2fpasswd", "<script>", "' OR 1=1 --", "\u2028", "x" * 5000)


def test_nothing_that_a_browser_can_ask_brings_the_page_down(bench: Bench) -> None:
    with bench.client() as client:
        token = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
        client.post("/login", data={"csrf": token, "person": "adm1", "password": PASSWORD})
        assert client.get("/audit").status_code == 200
        for text in HOSTILE:
            for path in (
                f"/audit?who={text}&step={text}&about={text}&before={text}",
                f"/recordings/{text}",
                f"/recordings?camera={text}&verdict={text}&page={text}",
                f"/cameras/{text}?days={text}",
                f"/login?next={text}",
                f"/assets/{text}/{text}",
            ):
                answer = client.get(path)
                assert answer.status_code in (200, 303, 400, 404), path
                assert "<script>" not in answer.text
    with bench.client() as client:
        token = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
        client.post("/login", data={"csrf": token, "person": "sup1", "password": PASSWORD})
        for text in HOSTILE:
            assert client.get(f"/malfunctions/{text}").status_code == 404
            assert client.get(f"/malfunctions?show={text}&before={text}").status_code == 200
    assert "of the page failed" not in bench.station.log()


@pytest.mark.requirement("R8", "R9", "R30")
def test_the_board_turns_amber_green_and_red_by_itself(bench: Bench, context: BrowserContext) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    faults: list[str] = []
    bench.report("SIM-0001", battery=55, files=3, left=8_000_000_000)
    tab = log_in(context, bench, "ofc1")
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    card = tab.locator("#bay-SIM-0001")
    expect(card).to_contain_text("Transferring")
    expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    bench.report("SIM-0001", battery=80, files=1, left=2_000_000_000, speed=60_000_000, minutes=1)
    expect(card).to_contain_text("2.0 GB left")
    expect(card).to_contain_text("about 1 min")
    assert card.get_by_role("progressbar", name="Offload").get_attribute("value") == "75"
    bench.report("SIM-0001", battery=82)
    expect(card).to_contain_text("Charging")
    bench.report("SIM-0001", battery=95)
    expect(card).to_have_class("bay ready")
    expect(tab.locator("#live-say")).to_have_text("SIM-0001: Ready")
    expect(tab.locator("#tally .ready")).to_have_text("1 ready")
    bench.report("SIM-0001", do_not_use=("microphone",), self_test="block")
    expect(card).to_have_class("bay fault")
    expect(card).to_contain_text("Failed: microphone.")
    bench.report("SIM-0001", docked=False)
    expect(tab.locator("#away #bay-SIM-0001")).to_contain_text("Away")
    bench.report("SIM-0002")
    expect(tab.locator("#docked #bay-SIM-0002")).to_contain_text("Ready")
    expect(tab.locator("#docked > li").first).to_have_id("bay-empty-Bay 12")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(bench.page_url).netloc}
    assert faults == []


def test_the_board_is_right_without_scripts_after_loading_it_again(bench: Bench, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, java_script_enabled=False)
    bench.report("SIM-0003", battery=20)
    tab = log_in(context, bench, "ofc1")
    expect(tab.locator("#bay-SIM-0003")).to_contain_text("Charging")
    bench.report("SIM-0003")
    tab.reload()
    expect(tab.locator("#bay-SIM-0003")).to_contain_text("Ready")
    context.close()


def test_the_wall_shows_bays_without_login_and_without_names(bench: Bench, context: BrowserContext) -> None:
    tab = context.new_page()
    tab.goto(f"{bench.page_url}/wall")
    bench.report("SIM-0003", battery=31)
    expect(tab.locator("#bay-SIM-0003")).to_contain_text("31 %")
    assert tab.locator("a").count() == 0
    assert "Okafor" not in tab.content()


@pytest.mark.requirement("R33")
def test_a_session_whose_person_left_is_over_at_the_next_click(bench: Bench, context: BrowserContext) -> None:
    import time

    from dock.station.people import People
    from dock.station.person import Person

    people = People(bench.data, utc_ns=time.time_ns)
    people.add(Person("ofc9", "Leaving Soon", None, frozenset({"officer"}), None), who="bench")
    people.set_password("ofc9", PASSWORD, who="bench")
    tab = log_in(context, bench, "ofc9")
    expect(tab.get_by_role("heading", name="Bays")).to_be_visible()
    people.deactivate("ofc9", who="bench")
    people.close()
    tab.goto(f"{bench.page_url}/")
    expect(tab.get_by_label("Identifier")).to_be_visible()

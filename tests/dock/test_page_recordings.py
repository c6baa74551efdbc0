"""Recordings on the dock page: verdict, hold, labels and custody, and no way to the evidence itself (R1, R33, R35)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dock_bench import TUS, Client, poll_until, sha256
from dock_camera import Camera
from page_bench import Bench, keep_picture, log_in, open_bench, steps
from playwright.sync_api import Browser, BrowserContext, expect

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One recording that verifies and one that does not, uploaded as a camera would."""
    opened = open_bench(tmp_path_factory.mktemp("recordings"), cameras=1, desk=True)
    spool = opened.directory / "spool"
    spool.mkdir()
    camera = Camera(opened.pki, spool)
    client = Client(opened.station.port, opened.pki)
    for number in (1, 2):
        file = camera.record(number)
        data = bytearray((spool / file.name).read_bytes())
        if number == 2:
            data[len(data) // 2] ^= 1
        upload(client, file.name, bytes(data))
    client.close()
    opened.report("SIM-0001")
    yield opened
    opened.close()


def upload(client: Client, name: str, data: bytes) -> None:
    _, headers, _ = client.create(name, len(data))
    assert client.patch(headers["location"], 0, data, hashlib.sha256(data).digest())[0] == 204
    poll_until(lambda: client("HEAD", headers["location"], TUS)[1].get("firsthand-receipt"), why="all is done")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.mark.requirement("R38", "R40")
def test_the_list_says_what_verified_and_the_page_tells_the_chain_of_custody(
    bench: Bench, context: BrowserContext
) -> None:
    tab = log_in(context, bench, "sup1", path="/recordings")
    expect(tab.get_by_role("row", name="SIM-0001-000001")).to_contain_text("valid")
    expect(tab.get_by_role("row", name="SIM-0001-000002")).to_contain_text("not valid")
    tab.get_by_label("Verdict").select_option("not_valid")
    tab.get_by_role("button", name="Filter").click()
    expect(tab.locator("tbody tr")).to_have_count(1)
    tab.goto(f"{bench.page_url}/recordings/SIM-0001-000001")
    stored = (bench.data / "store/SIM-0001-000001.evidence").read_bytes()
    expect(tab.get_by_text(sha256(stored))).to_be_visible()
    chain = tab.get_by_role("region", name="Chain of custody")
    expect(chain).to_contain_text(f"All {len(stored)} bytes have come in")
    expect(chain).to_contain_text("Receipt signed, verdict valid")
    keep_picture("recording", tab)


@pytest.mark.requirement("R35", "R33")
def test_a_supervisor_holds_and_releases_and_an_administrator_only_looks(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "sup1", path="/recordings/SIM-0001-000001")
    tab.get_by_label("Kind").select_option("litigation")
    tab.get_by_label("Why it must be kept").fill("State v. Example")
    tab.get_by_role("button", name="Put on hold").click()
    expect(tab.locator(".message")).to_have_text("It is on hold: nothing cleans it up.")
    expect(tab.get_by_role("region", name="Holds")).to_contain_text("Litigation: State v. Example")
    (entry,) = steps(bench, "hold")
    assert (entry.who, entry.name) == ("sup1", "SIM-0001-000001.evidence")
    assert (bench.data / "holds").is_dir()
    tab.get_by_label("Why it may end").fill("Settled")
    tab.get_by_role("button", name="End the hold").click()
    expect(tab.get_by_role("region", name="Holds")).to_contain_text("None: retention decides.")
    (released,) = steps(bench, "released")
    assert released.details["reason"] == "Settled"
    other = log_in(context.browser.new_context(ignore_https_errors=True), bench, "adm1")
    other.goto(f"{bench.page_url}/recordings/SIM-0001-000001")
    expect(other.get_by_role("region", name="Holds")).to_be_visible()
    assert other.get_by_role("button", name="Put on hold").count() == 0
    assert [one.who for one in steps(bench, "page_recording")][-1] == "adm1"


@pytest.mark.requirement("R31", "R5")
def test_a_late_label_is_appended_and_told_in_the_chain(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "sup1", path="/recordings/SIM-0001-000001")
    tab.get_by_label("Category").select_option("use_of_force")
    tab.get_by_label("Case number").fill("26-00417")
    tab.get_by_role("button", name="Append").click()
    expect(tab.get_by_role("region", name="Labels from the dock")).to_contain_text("Case: 26-00417")
    expect(tab.get_by_role("region", name="Chain of custody")).to_contain_text("26-00417")
    tab.goto(f"{bench.page_url}/recordings/SIM-0001-000002")
    tab.get_by_label("Case number").fill("26-00418")
    tab.get_by_role("button", name="Append").click()
    expect(tab.get_by_role("alert")).to_contain_text("has no valid close")


@pytest.mark.requirement("R38")
def test_only_a_signed_command_about_this_very_recording_is_taken(bench: Bench, context: BrowserContext) -> None:
    tab = log_in(context, bench, "sup1", path="/recordings/SIM-0001-000002")
    tab.get_by_label("Signed command, base64").fill("bm90IGEgY29tbWFuZA==")
    tab.get_by_role("button", name="Hand it to the station").click()
    expect(tab.get_by_role("alert")).to_contain_text("no command of a supervisor that accepts this recording")
    assert steps(bench, "accepted") == []


@pytest.mark.requirement("R1", "R33")
def test_nothing_on_the_page_gives_evidence_out(bench: Bench, context: BrowserContext, tmp_path: Path) -> None:
    tab = log_in(context, bench, "ofc1", path="/recordings")
    expect(tab.get_by_role("heading", name="Not allowed")).to_be_visible()
    stored = (bench.data / "store/SIM-0001-000001.evidence").read_bytes()
    supervisor = context.browser.new_context(ignore_https_errors=True)
    log_in(supervisor, bench, "sup1")
    name = "SIM-0001-000001.evidence"
    for path in (f"/recordings/{name}", f"/store/{name}", f"/files/{name}", f"/assets/{name}", "/recordings/../store"):
        answer = supervisor.request.get(f"{bench.page_url}{path}")
        assert stored[:64] not in answer.body()
        assert answer.status in (200, 404)
        assert answer.headers["content-type"].startswith("text/html")
    tab = supervisor.pages[0]
    tab.goto(f"{bench.page_url}/recordings/SIM-0001-000001")
    assert tab.locator("a[download], video, audio, object, embed, iframe").count() == 0

"""The control panel on the bench: served as `firsthand-sim panel` serves it, and a browser that notes faults."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError
from real_time import comes_first

READY_MS = 120_000
MOST_NOTED = 4_000
SCENARIO = """\
title = "On the bench"
[profile]
keep_after_receipt_h = 0
pre_event_s = 3
stop_reason_s = 0
double_press_ms = 2000
hold_to_stop_ms = 1000
confirm_stop_s = 10
[camera]
width = 320
height = 180
frame_rate = 10
bitrate = 200_000
[[step]]
at = "self-test done"
say = "The camera has tested itself."
do = "nothing"
"""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The panel's address, as it prints it; ended by SIGTERM, and it must end well."""
    scenario = directory / "bench.toml"
    scenario.write_text(SCENARIO)
    log = directory / "panel.log"
    command = [
        sys.executable,
        "-m",
        "simulator",
        "panel",
        str(scenario),
        "--port",
        "0",
        "--out",
        str(directory / "run"),
    ]
    with log.open("w") as file, comes_first():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://\S+/", said)
        assert found is not None, said + log.read_text()
        yield found[0]
    finally:
        process.terminate()
        code = process.wait(180)
    assert code == 0, log.read_text()


@dataclass
class Tab:
    """A browser page with all that it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def press(self, key: str, seconds: float = 0.12) -> None:
        """A finger on the key for so long."""
        self.page.keyboard.press(key, delay=seconds * 1000)

    def hold(self, key: str, until: str) -> None:
        """A finger on the key until the camera says so: however late an order comes, it is held for long enough."""
        self.page.keyboard.down(key)
        self.until("#state-pill", until)
        self.page.keyboard.up(key)

    def begin(self) -> None:
        """As after the self-test: not in the dock, not recording."""
        expect(self.page.locator("#state-pill")).to_have_text(re.compile("ready|docked"), timeout=READY_MS)
        if self.page.locator("#dock").get_attribute("aria-pressed") == "true":
            self.press("d")
        self.until("#state-pill", "ready")

    def until(self, selector: str, text: str) -> None:
        """Wait until that is shown there."""
        expect(self.page.locator(selector).first).to_contain_text(text, timeout=READY_MS, ignore_case=True)


@contextmanager
def looked_at(browser: Browser, url: str, **options: Any) -> Iterator[Tab]:
    """The panel in a fresh browser profile."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    tab = Tab(context.new_page())
    tab.page.on("request", lambda request: tab.asked.append(request.url))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on(
        "console",
        lambda said: tab.complaints.append(f"{said.text} ({said.location})") if said.type == "error" else None,
    )
    tab.page.goto(url)
    try:
        yield tab
    except (AssertionError, PlaywrightError) as error:
        error.add_note(f"What the page said had happened:\n{tab.page.locator('#told').inner_text()[-MOST_NOTED:]}")
        error.add_note(f"Its banner: {tab.page.locator('#banner').inner_text()!r}; complaints: {tab.complaints}")
        raise
    finally:
        context.close()


def order(url: str, what: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
    """One order, as a program sends it."""
    content = {"content": what} if isinstance(what, bytes) else {"json": what}
    return httpx.post(f"{url}order", headers={"X-Firsthand-Panel": "1", **headers}, timeout=180, **content)  # type: ignore[arg-type]

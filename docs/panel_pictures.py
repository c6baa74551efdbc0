"""Take the pictures of docs/simulator/panel.md: ``python docs/panel_pictures.py`` plays the first minute in Chromium.

It needs Chromium, Playwright and Pillow (the test extra). Pictures get few colours, so that they stay small.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
SOON_MS = 60_000
COLOURS = 200


def keep(name: str, picture: bytes) -> None:
    """A screenshot with few colours."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    path = IMAGES / f"panel-{name}.png"
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB")


def state(page: Page, word: str) -> None:
    """Wait until the camera is in that state."""
    expect(page.locator("#state-pill")).to_have_text(word, timeout=SOON_MS)


def first_minute(page: Page) -> None:
    """What a stranger does, by keyboard."""
    state(page, "ready")
    expect(page.locator("#ring-word")).to_have_text(re.compile("1[5-9] s"), timeout=SOON_MS)
    for _ in range(2):
        page.keyboard.press("r", delay=120)
    state(page, "recording")
    page.keyboard.press("l")
    page.wait_for_timeout(9000)
    keep("recording", page.screenshot())
    page.keyboard.press("r", delay=120)
    page.wait_for_timeout(2000)
    keep("evidence", page.locator("#files-card").screenshot())
    page.keyboard.press("r", delay=3300)
    state(page, "confirming stop")
    page.keyboard.press("r", delay=120)
    state(page, "ready")
    page.keyboard.press("d")
    state(page, "docked")
    page.get_by_role("button", name="Verify and play").click(timeout=SOON_MS)
    expect(page.locator(".verdict")).to_have_text("Everything holds", timeout=SOON_MS)
    page.get_by_role("button", name="Change one bit of a copy").click()
    expect(page.locator(".forged.good")).to_be_visible(timeout=SOON_MS)
    page.evaluate("document.querySelector('video').play()")
    expect(page.locator(".player .time")).to_contain_text("0:16 of", timeout=SOON_MS)
    page.evaluate("document.querySelector('video').pause()")
    keep("verified", page.locator("#court").screenshot())


def main() -> None:
    """All of them."""
    command = [sys.executable, "-m", "simulator", "panel", "--port", "0"]
    panel = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert panel.stdout is not None
        url = re.findall(r"http://\S+/", panel.stdout.readline())[0]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1360, "height": 920})
            page.goto(url)
            first_minute(page)
            for name, scheme, size in (("phone", "light", (390, 844)), ("dark", "dark", (1360, 920))):
                other = browser.new_context(
                    viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
                ).new_page()
                other.goto(url)
                state(other, "docked")
                other.wait_for_timeout(2000)
                if name == "phone":
                    other.locator("#camera-card").scroll_into_view_if_needed()
                    other.evaluate("document.getElementById('camera-card').scrollIntoView()")
                keep(name, other.screenshot())
            browser.close()
    finally:
        panel.terminate()
        panel.wait(60)


if __name__ == "__main__":
    main()

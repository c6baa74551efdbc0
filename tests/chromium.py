"""Debian's Chromium, driven by Playwright, for every page that we serve."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 60_000
"""For what a page shows by and by: a busy machine takes its time, and each wait ends when it is shown."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; without it a user's test is skipped, and CI fails."""
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox"])
        yield browser
        browser.close()

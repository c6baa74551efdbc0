"""A camera without a key cannot record: its lamps say so instead of staying dark (R4)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import AMBER, GREEN, RED, CameraBench, until, watch

from device.cannot_start import show_cannot_start
from device.config import load_settings

Make = Callable[..., CameraBench]


@pytest.mark.requirement("R4")
def test_a_camera_without_a_key_shows_it(bench: Make, tmp_path: Path) -> None:
    camera = bench()
    settings = load_settings(camera.directory / "device.toml")
    shown = threading.Thread(
        target=show_cannot_start, args=(settings,), kwargs={"allow_simulated": True, "shown_s": 12}
    )
    shown.start()
    until(lambda: (camera.directory / "hw.sock").exists(), what="the pins are there")
    with watch(camera) as seen:
        until(lambda: sum(one.get("pin") == AMBER and one["level"] > 0 for one in list(seen)) >= 3, what="amber blinks")
        shown.join()
        assert not any(one.get("pin") == GREEN and one["level"] > 0 for one in list(seen)), "it is not ready"
        until(lambda: [one["level"] for one in list(seen) if one.get("pin") == RED][-1] == 0, what="red to the end")


def test_the_program_says_why_and_ends(bench: Make, tmp_path: Path) -> None:
    camera = bench()
    text = (camera.directory / "device.toml").read_text()
    (camera.directory / "device.toml").write_text(text.replace("camera.key", "no-such.key"))
    command = [sys.executable, "-m", "device", "run", "--allow-simulated"]
    done = subprocess.run([*command, "--config", str(camera.directory / "device.toml")],
                          capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 1
    assert "no-such.key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_board_without_lamps_ends_all_the_same(bench: Make, caplog: pytest.LogCaptureFixture) -> None:
    camera = bench(extra={"indicators": {"driver": "no-such"}})
    settings = load_settings(camera.directory / "device.toml")
    show_cannot_start(settings, allow_simulated=True, shown_s=0.01)
    assert "no indicators driver 'no-such'" in caplog.text

"""The row `watchdog`: does a board that hangs restart by itself, and has it just done so (R8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.watchdog_check import judge_watchdog
from hal.watchdog import Watchdog, find_watchdog


def sysfs(root: Path, **files: str) -> Path:
    """A chip as the kernel's driver bcm2835_wdt shows it, with some files otherwise."""
    place = root / "class/watchdog/watchdog0"
    place.mkdir(parents=True)
    shown = {"identity": "Broadcom BCM2835 Watchdog timer", "state": "active", "timeout": "15", "bootstatus": "0"}
    for name, text in (shown | files).items():
        (place / name).write_text(f"{text}\n")
    return root


def test_an_armed_watchdog_passes(tmp_path: Path) -> None:
    watchdog = find_watchdog(sysfs(tmp_path))
    assert watchdog == Watchdog("Broadcom BCM2835 Watchdog timer", armed=True, timeout_s=15)
    seen = judge_watchdog(watchdog)
    assert (seen.outcome, seen.value) == ("pass", "Broadcom BCM2835 Watchdog timer, 15 s, armed")


@pytest.mark.requirement("R8")
def test_one_that_nobody_feeds_is_said(tmp_path: Path) -> None:
    seen = judge_watchdog(find_watchdog(sysfs(tmp_path, state="inactive")))
    assert seen.outcome == "fail"
    assert "RuntimeWatchdogSec" in seen.advice


@pytest.mark.requirement("R8")
@pytest.mark.parametrize("status", ["32", "0x20", "0x8020"])
def test_a_boot_that_the_watchdog_began_is_said(tmp_path: Path, status: str) -> None:
    seen = judge_watchdog(find_watchdog(sysfs(tmp_path, bootstatus=status)))
    assert seen.outcome == "fail"
    assert seen.value.startswith("the hardware watchdog restarted the board")


def test_a_board_without_one_need_not_have_it(tmp_path: Path) -> None:
    assert find_watchdog(tmp_path) is None
    seen = judge_watchdog(None)
    assert (seen.outcome, seen.expected) == ("not_present", False)


def test_garbage_in_its_files_is_nothing(tmp_path: Path) -> None:
    garbage = sysfs(tmp_path, identity="\0\xff" * 200, timeout="soon", bootstatus="much")
    found = find_watchdog(garbage)
    assert found is not None
    assert (found.armed, found.timeout_s, found.bit) == (True, None, False)
    assert len(found.identity) <= 64

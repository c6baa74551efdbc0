"""The self-test's row `watchdog`: whether a board that hangs restarts by itself, and whether it has just done so (R8).

Pure. The recorder itself is watched by systemd (``WatchdogSec``); this is the one that watches systemd and the kernel.
"""

from __future__ import annotations

from device.selftest import Seen
from hal.watchdog import Watchdog

BITTEN = "the hardware watchdog restarted the board: it had hung"


def judge_watchdog(watchdog: Watchdog | None) -> Seen:
    """Armed or not; a board need not have one."""
    limit = "armed, and it did not start this boot"
    if watchdog is None:
        return Seen("not_present", "no hardware watchdog", limit, expected=False)
    value = watchdog.identity
    if watchdog.timeout_s is not None:
        value += f", {watchdog.timeout_s} s"
    if watchdog.bit:
        advice = "note it in the report; if it comes again, have the camera repaired"
        return Seen("fail", f"{BITTEN} ({value})", limit, advice)
    if not watchdog.armed:
        return Seen("fail", f"{value}, not armed", limit, "set RuntimeWatchdogSec for systemd: a hung board stays hung")
    return Seen("pass", f"{value}, armed", limit)

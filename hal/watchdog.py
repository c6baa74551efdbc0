"""The board's hardware watchdog, by the kernel's words under ``/sys/class/watchdog`` (Documentation/ABI/testing/
sysfs-class-watchdog). Only looked at: PID 1 feeds it (systemd, ``RuntimeWatchdogSec``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hal.sysfs import text_of

CARD_RESET: Final = 0x20
"""WDIOF_CARDRESET in ``bootstatus``: the watchdog started this boot. Not every driver can tell."""
_MOST_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Watchdog:
    """One hardware watchdog."""

    identity: str
    """The driver's name of it."""
    armed: bool
    """Somebody feeds it, and the board restarts when that ends."""
    timeout_s: int | None = None
    bit: bool = False
    """It was what started this boot, as far as the driver can tell."""


def find_watchdog(root: Path = Path("/sys")) -> Watchdog | None:
    """The board's first watchdog; None without one, or where the kernel shows none. `root` is where sysfs is."""
    found = root / "class/watchdog/watchdog0"
    state = text_of(found / "state", _MOST_BYTES)
    if not state:
        return None
    timeout = text_of(found / "timeout", _MOST_BYTES) or ""
    return Watchdog(
        identity=(text_of(found / "identity", _MOST_BYTES) or "unnamed")[:64],
        armed=state == "active",
        timeout_s=int(timeout) if timeout.isascii() and timeout.isdigit() and len(timeout) < 8 else None,
        bit=bool(_status(text_of(found / "bootstatus", _MOST_BYTES)) & CARD_RESET),
    )


def _status(text: str | None) -> int:
    """A number in decimal or hexadecimal (the kernel has written both); 0 if it is none."""
    try:
        return int(text, 0) if text else 0
    except ValueError:
        return 0

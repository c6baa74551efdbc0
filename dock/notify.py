"""Tell systemd how we are (sd_notify(3)); without systemd nothing happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send e.g. ``READY=1``. A service manager that is not there is no error of ours."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(1.0)  # a service manager that does not read must not stop us
        sock.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


async def keep_alive() -> None:
    """Tell the watchdog three times in its period that the event loop turns. Ends at once if nobody watches."""
    period_us = os.environ.get("WATCHDOG_USEC", "")
    if not period_us.isdecimal() or int(period_us) == 0:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(period_us) / 3e6)

"""Tell systemd about readiness and life (sd_notify(3)), without a library."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> None:
    """Send one state, e.g. ``READY=1`` or ``WATCHDOG=1``; nothing happens outside systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.connect(address)
            out.send(message.encode())
    except OSError:
        return

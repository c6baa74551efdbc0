"""What a service owes its surroundings: sd_notify(3) without a library, and a word for a thread that dies."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Final

log = logging.getLogger("firsthand.device")

EXIT_POWER_OFF: Final = 20
"""The battery is empty, everything is closed and durable: whoever started the daemon switches the board off now."""


def notify(message: str) -> None:
    """Send one state, e.g. ``READY=1`` or ``WATCHDOG=1``; nothing happens outside systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1.0)  # a service manager that does not read must not stop the recorder
            out.connect(address)
            out.send(message.encode())
    except OSError:
        return


def thread_excepthook(arguments: threading.ExceptHookArgs) -> None:
    """A driver's thread died: say so in the log; the watch over frames does the rest."""
    log.error("thread %s died", arguments.thread.name if arguments.thread else "?", exc_info=arguments.exc_value)

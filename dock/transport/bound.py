"""A TCP connection that can be tied to one network interface: away from the dock, only the link that was allowed."""

from __future__ import annotations

import socket
from collections.abc import Callable

Dial = Callable[..., socket.socket]
"""As `socket.create_connection`: (address, timeout, source address)."""


def bound_to(interface: str) -> Dial:
    """Connects over that interface alone (SO_BINDTODEVICE, Linux 5.7 and later without privileges).

    Without it the kernel's routes decide, and what was meant for Wi-Fi could go over a link that costs money.
    """

    def dial(address: tuple[str, int], timeout: float | None = None, *_: object) -> socket.socket:
        last: OSError = OSError(f"{address[0]} has no address")
        for family, kind, protocol, _name, target in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(timeout)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
                connection.connect(target)
            except OSError as error:
                connection.close()
                last = error
            else:
                return connection
        raise last

    return dial

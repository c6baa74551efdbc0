"""A port to listen on, or one sentence that names the settings to change."""

from __future__ import annotations

import socket

from dock.errors import BadConfig


def listen(host: str, port: int, *, table: str = "") -> socket.socket:
    """A bound socket; port 0 takes a free one. `table` is the settings' prefix, ``page.`` say. Raises `BadConfig`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: by it asyncio sees that this is TCP, and sends the end of an answer without waiting for
    # the client's delayed acknowledgement of its beginning (40 ms).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        where = f"{table}listen_host {host} and {table}listen_port {port}"
        raise BadConfig(f"cannot listen on {where}: {error.strerror}") from error
    return listener

"""A wire between client and server that counts bytes, and at a chosen count kills whoever is to be killed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_READ_BYTES = 16384


class Trap:
    """Passes TCP on to `port`. After `arm(count, kill)` and that many bytes more from clients, calls `kill` once.

    From then on nobody is let through until `arm` or `open`: who comes back first gains nothing.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._left: int | None = None
        self._kill: Callable[[], None] = lambda: None
        self._shut = False
        self.sprung = threading.Event()
        self.passed = 0
        """Bytes from clients in all."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, count: int, kill: Callable[[], None]) -> None:
        """Kill after `count` more bytes."""
        with self._lock:
            self._shut = False
            self.sprung.clear()
            self._left, self._kill = count, kill

    def open(self) -> None:
        """Let everything through."""
        with self._lock:
            self._shut = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._shut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=60)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_READ_BYTES):
                if counted:
                    data = data[: self._count(len(data))]
                sink.sendall(data)
                if counted and self._spring():
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _count(self, count: int) -> int:
        """How many of them may pass before the trap springs."""
        with self._lock:
            passed = count if self._left is None else min(count, self._left)
            self.passed += passed
            if self._left is not None:
                self._left -= passed
            return passed

    def _spring(self) -> bool:
        with self._lock:
            if self._left != 0:
                return False
            self._left, self._shut = None, True
            self._kill()
            self.sprung.set()
            return True

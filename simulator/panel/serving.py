"""Serve the panel: the web server on the main thread, the world on its own."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from types import FrameType

import uvicorn

from simulator.panel.app import Panel
from simulator.panel.director import Director
from simulator.panel.feed import Feed
from simulator.running import Order

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(order: Order, host: str, port: int) -> int:
    """Until a signal comes. Raises OSError if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OSError(f"cannot listen at {host}:{port} ({error.strerror}): choose another --port") from error
        listener.listen(64)
        feed = Feed()
        director = Director(order, feed)
        app = Panel(director, order.out).app((*LOCAL, host))
        server = _Server(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, lifespan="off"),
            feed,
        )
        name = f"[{host}]" if family == socket.AF_INET6 else "localhost" if host == "127.0.0.1" else host
        print(f"The control panel: http://{name}:{listener.getsockname()[1]}/ (stop it with Ctrl-C)", flush=True)
        director.start()
        with server.signals():
            try:
                server.run(sockets=[listener])
            finally:
                director.close()
    return 0


class _Server(uvicorn.Server):
    """Ends the browsers' streams when it is asked to stop: they would hold it up."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """A signal stops the server, and never the taking down of the world behind it.

        uvicorn raises each signal that it got once more when it has stopped, for whoever handled it before.
        """
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._feed.close()
        super().handle_exit(sig, frame)

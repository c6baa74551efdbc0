"""A connection that a visit's end cuts off leaves no descriptor behind, and nobody has to collect it."""

from __future__ import annotations

import gc
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock.errors import StationUnreachable
from dock.transport.https import StationLink


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked, self.may_answer = threading.Event(), threading.Event()


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.asked.set()
            self.server.may_answer.wait(300)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.may_answer.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def link(server: _Server) -> StationLink:
    return StationLink(f"http://127.0.0.1:{server.server_address[1]}", None, 300.0)


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def connected(server: _Server) -> int:
    """This process's own ends of connections to the server, by the kernel's table."""
    port = f":{server.server_address[1]:04X}"
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(port)}
    targets = []
    for one in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(one.readlink()))
        except FileNotFoundError:  # the directory's own descriptor
            continue
    return sum(target in inodes for target in targets)


def test_a_link_that_waits_for_its_next_request_is_closed_by_the_cut(server: _Server, link: StationLink) -> None:
    assert link.call("GET", "/").body == b"ok"
    assert connected(server) == 1
    link.cut()
    assert connected(server) == 0


def test_a_request_under_way_ends_at_once_and_closes_its_own_descriptor(server: _Server, link: StationLink) -> None:
    failed: list[StationUnreachable] = []

    def ask() -> None:
        try:
            link.call("GET", "/slow")
        except StationUnreachable as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert server.asked.wait(60)
    link.cut()
    asking.join(60)
    assert not asking.is_alive()
    assert len(failed) == 1
    assert connected(server) == 0


def test_what_is_asked_after_the_cut_is_refused_and_leaves_nothing_open(server: _Server, link: StationLink) -> None:
    link.cut()
    with pytest.raises(StationUnreachable, match="cut off"):
        link.call("GET", "/")
    assert connected(server) == 0

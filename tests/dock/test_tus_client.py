"""What a station may answer to the tus client, and what counts as a success: only the right answer."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from dock.errors import (
    ChecksumRefused,
    OffsetMoved,
    StationBusy,
    StationFailed,
    StationFull,
    StationRefused,
    StationUnreachable,
    TransportError,
    UploadGone,
)
from dock.transport.https import StationLink
from dock.transport.transport import Outgoing
from dock.transport.tus import TusTransport


class Odd(http.server.BaseHTTPRequestHandler):
    """A station that answers what the test wants."""

    status: ClassVar[int] = 200
    extra: ClassVar[dict[str, str]] = {}
    body: ClassVar[bytes] = b""
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(self.status)
        for key, value in {"Content-Length": str(len(self.body)), **self.extra}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_PATCH = do_HEAD = do_GET = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def odd() -> Iterator[tuple[type[Odd], TusTransport, StationLink]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    link = StationLink(f"https://127.0.0.1:{server.server_port}", None, 60.0)  # type: ignore[arg-type]
    link._open = lambda: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60.0)  # type: ignore[method-assign,assignment,return-value]
    Odd.status, Odd.extra, Odd.body = 200, {}, b""
    yield Odd, TusTransport(link), link
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, StationRefused),
        (401, StationRefused),
        (402, StationRefused),
        (403, StationRefused),
        (404, UploadGone),
        (409, OffsetMoved),
        (413, StationRefused),
        (460, ChecksumRefused),
        (500, StationFailed),
        (502, StationFailed),
        (503, StationBusy),
        (507, StationFull),
        (302, StationFailed),
        (200, StationFailed),
        (204, StationFailed),
    ],
)
def test_no_answer_but_the_right_one_is_a_success(
    odd: tuple[type[Odd], TusTransport, StationLink], status: int, error: type[TransportError]
) -> None:
    odd[0].status = status
    with pytest.raises(error):
        odd[1].append("/files/1", 0, b"abc")


def test_a_short_count_an_empty_answer_and_a_strange_address_are_no_success(
    odd: tuple[type[Odd], TusTransport, StationLink],
) -> None:
    answer, transport, link = odd
    answer.status, answer.extra = 204, {"Upload-Offset": "2"}
    with pytest.raises(StationFailed):
        transport.append("/files/1", 0, b"abc")
    answer.status = 201
    for location in ("", "https://elsewhere/files/1", "/files/../x", "/other/1"):
        answer.extra = {"Location": location}
        with pytest.raises(StationFailed):
            transport.create(Outgoing("n", 1, "a" * 64))
    answer.status, answer.extra = 503, {"Retry-After": "7"}
    with pytest.raises(StationBusy) as busy:
        transport.offset("/files/1")
    assert busy.value.retry_after_s == 7
    answer.status, answer.extra, answer.body = 200, {"Content-Length": "100", "Connection": "close"}, b"half"
    with pytest.raises(StationUnreachable):
        link.call("GET", "/receipts/x")
    answer.extra, answer.body = {}, b"x" * 300_000
    with pytest.raises(StationFailed, match="larger"):
        link.call("GET", "/receipts/x")

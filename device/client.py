"""The technicians' side of the daemon's socket: one request up, one answer down."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from device.errors import DeviceError
from evidence.handover import LINE_BYTES, Answer, Notice, answer_decoder
from evidence.requests import EventsRequest, Request, SelfTestRequest

ANSWER_S: Final = 60.0
"""A self-test with its clip takes the longest, but for an inspection, which waits for people."""


class CannotReach(DeviceError):
    """The daemon does not answer."""


@contextlib.contextmanager
def _connected(path: Path, request: Request, timeout_s: float | None) -> Iterator[IO[bytes]]:
    """The lines of the answer to one request. Raises `CannotReach`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as lines:
                yield lines
    except OSError as error:
        raise CannotReach(
            f"no daemon answers at {path}: {error.strerror or error}; is firsthand-device running?"
        ) from error


def ask(path: Path, request: Request) -> Answer:
    """The daemon's answer to one request. Raises `CannotReach`."""
    people = isinstance(request, SelfTestRequest) and request.extended
    with _connected(path, request, None if people else ANSWER_S) as lines:
        return _read(lines.readline(LINE_BYTES))


def follow(path: Path) -> Iterator[Answer]:
    """The answer to the wish to follow, then each notice as it comes, until the daemon ends. Raises `CannotReach`."""
    with _connected(path, EventsRequest(), None) as lines:
        answer = _read(lines.readline(LINE_BYTES))
        yield answer
        while line := lines.readline(LINE_BYTES):
            notice = _read(line)
            if isinstance(notice, Notice):
                yield notice


def _read(line: bytes) -> Answer:
    try:
        answer: Answer = answer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CannotReach(f"the daemon's answer cannot be read: {error}") from error
    return answer

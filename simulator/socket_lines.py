"""A peer that takes one JSON line and answers with one: the recorder's socket and the hardware socket from outside."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from evidence.handover import LINE_BYTES, Done, Notice, Refused, Spool, Status, answer_decoder
from evidence.requests import EventsRequest, ListRequest, Request, StatusRequest
from evidence.statements import encode_canonical
from simulator.run_errors import CameraRefused, WorldRefused

_TIMEOUT_S: Final = 60.0
"""A camera on a busy machine is not a dead one."""
_A = TypeVar("_A")


class LineSocket:
    """One connection. Every method raises `WorldRefused` when the other side is gone or says nonsense."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise WorldRefused(f"nobody answers on {path}: {error.strerror or error}") from error
        self._file = self._socket.makefile("rb")

    def send(self, line: bytes) -> None:
        """Send one line; the line end is added."""
        try:
            self._socket.sendall(line + b"\n")
        except OSError as error:
            raise WorldRefused(f"{self._path}: {error.strerror or error}") from error

    def receive(self) -> bytes:
        """The next line."""
        try:
            line = self._file.readline(LINE_BYTES + 1)
        except OSError as error:
            raise WorldRefused(f"{self._path}: {error.strerror or error}") from error
        if not line.endswith(b"\n"):
            raise WorldRefused(f"{self._path}: the other side closed the connection, or sent too long a line")
        return line

    def wait_for_ever(self) -> None:
        """From now on `receive` waits as long as it takes."""
        self._socket.settimeout(None)

    def close(self) -> None:
        """End the connection, also under a thread that receives. May be called twice."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()


class Recorder:
    """The camera daemon, asked over its socket as the dock's agent asks it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: LineSocket | None = None
        self._events: LineSocket | None = None
        self._thread: threading.Thread | None = None
        self._notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()

    def status(self) -> Status:
        """The camera's state. Raises `WorldRefused`."""
        return self._ask(StatusRequest(), Status)

    def spool(self) -> Spool:
        """Closed files that wait on the camera. Raises `WorldRefused`."""
        return self._ask(ListRequest(), Spool)

    def request(self, request: Request) -> None:
        """A request that is answered with nothing but `Done`. Raises `WorldRefused`."""
        self._ask(request, Done)

    def watch(self) -> None:
        """Collect what the camera tells from now on; see `notices`. Raises `WorldRefused`."""
        self._events = LineSocket(self._path)
        self._events.send(encode_canonical(EventsRequest()))
        self._events.wait_for_ever()
        self._thread = threading.Thread(target=self._collect, args=(self._events,), name="notices", daemon=True)
        self._thread.start()

    def notices(self) -> list[Notice]:
        """What was told since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._notices.get_nowait())
        return found

    def close(self) -> None:
        """End both connections. May be called twice."""
        for lines in (self._lines, self._events):
            if lines is not None:
                lines.close()
        self._lines = self._events = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _ask(self, request: Request, kind: type[_A]) -> _A:
        if self._lines is None:
            self._lines = LineSocket(self._path)
        try:
            self._lines.send(encode_canonical(request))
            answer = _decoded(self._lines.receive())
        except WorldRefused:
            self._lines.close()
            self._lines = None
            raise
        if isinstance(answer, Refused):
            raise CameraRefused(f"the recorder refuses: {answer.error}")
        if not isinstance(answer, kind):
            raise WorldRefused(f"the recorder answers with {type(answer).__name__}, not {kind.__name__}")
        return answer

    def _collect(self, lines: LineSocket) -> None:
        with contextlib.suppress(WorldRefused, ValueError):  # closed, by the camera or by us
            while True:
                answer = _decoded(lines.receive())
                if isinstance(answer, Notice):
                    self._notices.put(answer)


def _decoded(line: bytes) -> Any:
    try:
        return answer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorldRefused(f"the recorder's answer makes no sense: {error}") from error


def tell_hardware(lines: LineSocket, operation: dict[str, Any]) -> None:
    """One operation of the hardware socket. Raises `WorldRefused`."""
    lines.send(msgspec.json.encode(operation))
    answer = msgspec.json.decode(lines.receive())
    if answer.get("ok") is not True:
        raise WorldRefused(f"the simulated board refuses {operation}: {answer.get('error')}")


def outputs(lines: LineSocket) -> dict[int, float]:
    """Level of every output pin. Raises `WorldRefused`."""
    lines.send(b'{"op":"pins"}')
    answer = msgspec.json.decode(lines.receive())
    return {pin["pin"]: pin["level"] for pin in answer.get("pins") or [] if pin["function"] == "output"}


def drive_pin(lines: LineSocket, pin: int, level: int) -> None:
    """Put a level on an input pin. Raises `WorldRefused`."""
    tell_hardware(lines, {"op": "pin", "pin": pin, "level": level})


def connected(path: Path, within_s: float) -> LineSocket | None:
    """A connection as soon as somebody listens; None if nobody does in time."""
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            return LineSocket(path)
        except WorldRefused:
            if time.monotonic() >= deadline_s:
                return None
            time.sleep(0.05)

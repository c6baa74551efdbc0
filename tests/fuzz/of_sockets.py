"""Fuzz targets over real sockets: the recorder's own, those who ask it, and a server's answers to the agent."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from target import Target, scratch

from device import client
from device.control import ControlServer
from dock.agent.recorder_client import RecorderClient
from dock.errors import DockError
from dock.transport.https import StationLink
from dock.transport.tus import TusTransport
from evidence.handover import LINE_BYTES, Done, answer_decoder
from evidence.requests import Request, StatusRequest
from fleet.errors import FleetError
from fleet.update import install_line, recorder
from simulator.control import ControlLine
from simulator.run_errors import WorldRefused
from simulator.world_messages import StatusOp

ANSWER_S: Final = 20.0
MOST_BYTES: Final = 3 * LINE_BYTES


class Liar:
    """Listens, and answers whatever it is asked with the bytes of the moment, then hangs up."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.says = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(ANSWER_S)
                connection.recv(65_536)
                connection.sendall(self.says)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):  # until the other side has read it all
                    pass


@functools.cache
def liar() -> tuple[Liar, Path]:
    """One on a Unix socket."""
    path = scratch() / "liar.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(8)
    return Liar(listener), path


@functools.cache
def lying_server() -> tuple[Liar, int]:
    """One on the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    return Liar(listener), listener.getsockname()[1]


async def _asked_by_agent(path: Path) -> None:
    asking = RecorderClient(path, answer_s=ANSWER_S)
    try:
        await asking.status()
    finally:
        await asking.close()


def read_recorder(data: bytes) -> None:
    """What says it is the recorder, to each of those who ask the recorder."""
    lying, path = liar()
    lying.says = data
    with contextlib.suppress(client.CannotReach):
        client.ask(path, StatusRequest())
    with contextlib.suppress(client.CannotReach):
        for _ in client.follow(path):
            pass
    with contextlib.suppress(FleetError):
        recorder.status_of(path)
    with contextlib.suppress(FleetError):
        recorder.self_test_of(path)
    with contextlib.suppress(FleetError):
        install_line.ask(path, Path("a.raucb"), Path("a.p7s"))
    with contextlib.suppress(WorldRefused):
        ControlLine(path, "the world").ask(StatusOp())
    with contextlib.suppress(DockError):
        asyncio.run(_asked_by_agent(path))


def read_server(data: bytes) -> None:
    """A server's whole answer, as it comes over the wire, to an agent's requests."""
    lying, port = lying_server()
    lying.says = data
    link = StationLink(f"http://127.0.0.1:{port}", None, ANSWER_S)
    transport = TusTransport(link)
    file: Any = SimpleNamespace(name="SIM-0001-000001.evidence", bytes=5, close_hash="ab" * 32)
    calls: tuple[Callable[[], object], ...] = (
        lambda: transport.create(file),
        lambda: transport.offset("/files/" + "0" * 32),
        lambda: transport.append("/files/" + "0" * 32, 0, b"hello"),
    )
    try:
        for call in calls:
            with contextlib.suppress(DockError):
                call()
    finally:
        link.close()


class Recorder:
    """A real control socket on a loop of its own, which remembers what went wrong there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wrong: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.wrong.append(str(context)))
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        server = ControlServer(path, self._handle, frozenset())
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(ANSWER_S)

    async def _handle(self, _request: Request) -> Done:
        return Done()


@functools.cache
def control() -> Recorder:
    return Recorder(scratch() / "control.sock")


def _answers(connection: socket.socket) -> Iterator[bytes]:
    """Lines that come back, until the other side has no more."""
    with connection.makefile("rb") as lines:
        while line := lines.readline(LINE_BYTES):
            yield line


def read_control(data: bytes) -> None:
    """Lines to the recorder, in pieces and over two connections, whole, half and huge; it answers each, and goes on."""
    server = control()
    data = data.replace(b"<huge>", b"x" * 2 * LINE_BYTES)
    half = len(data) // 2
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(2)]
        for end in ends:
            end.settimeout(ANSWER_S)
            end.connect(str(server.path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hung up on a line that was too long
            for piece in (data[:half], data[half:MOST_BYTES]):
                for end in ends:
                    end.sendall(piece)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                for line in _answers(end):
                    answer_decoder.decode(line)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as after:
        after.settimeout(ANSWER_S)
        after.connect(str(server.path))
        after.sendall(b'{"op":"status"}\n')
        assert json.loads(after.recv(4096))["answer"] == "done"
    assert not server.wrong, server.wrong.pop()


TARGETS: Final = (
    Target("recorder-answer", read_recorder, ()),
    Target("server-answer", read_server, ()),
    Target("control-socket", read_control, ()),
)

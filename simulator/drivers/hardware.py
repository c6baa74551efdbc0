"""The hardware socket: through it the simulated world, another process, plays the hardware of one camera.

One Unix stream socket per camera process, JSON lines both ways, at most 4 KiB a line. Whoever reads a line that is not
understood is answered ``{"ok":false,"error":"one sentence"}`` and the connection goes on. The operations:

* ``{"op":"pin","pin":17,"level":0}`` drives an input pin; ``{"op":"pins"}`` lists all pins in use;
* ``{"op":"watch"}`` lists them and from then on streams ``{"event":"pin","pin":22,"level":1,"at_ns":...}`` for every
  change of an output (CLOCK_BOOTTIME); the connection still takes other operations;
* ``{"op":"clock","utc_offset_ns":...,"source":"gnss|ntp|dock|rtc|none","uncertainty_ns":...,
  "drift_ppm":...}``: any of the four;
* ``{"op":"camera","stall_s":2.5}``, ``"encoder_stall_s"`` (the sensor goes on), ``"drop_frames":3``, or
  ``"look":"normal|black|covered|frozen|defocused|upside_down"`` (from now on);
* ``{"op":"picture","width":480}`` answers with what the sensor delivers at this moment, ``{"ok":true,"picture":"…"}``,
  a JPEG in base64: for people who look at the world, never out of the evidence;
* ``{"op":"motion","x_mg":5000,"y_mg":1000,"z_mg":0,"for_s":0.2}`` accelerates the camera (thousandths of g, rest is
  0, 1000, 0); with ``"pattern":"walk|run|struggle|drive|fall|crash|lies|hangs|rest"`` and a ``"seed"`` it moves so;
* ``{"op":"microphone","silent_s":5}``, ``"clipped_s"``, ``"stall_s"``, or ``"late_s"`` (the sound lags by that from
  now on); of a remote one also ``"link":false``, ``"battery_percent":15``, ``"wearer_muted":true``;
* ``{"op":"key","away":true}``: the evidence key does not sign, until ``false``.

The drivers of one process share one server per path: each opens it, registers its handlers, and closes it again. A peer
that does not read what it is sent is dropped: no driver ever waits for the world.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hal.errors import BadDriverOption
from simulator.drivers.hardware_messages import (
    MAX_LINE_BYTES,
    Answer,
    ClockOp,
    OpRefused,
    PinEvent,
    PinsOp,
    Request,
    WatchOp,
    decode_request,
    encode_line,
)
from simulator.drivers.runner import Runner, ThreadRunner
from simulator.drivers.simulated_time import SimulatedTime

_Op = TypeVar("_Op", bound=Request)
_LONGEST_PATH_BYTES = 107  # sun_path of Linux, without its zero byte


class HardwareSocket:
    """The server of one path. Get it with `open`; every `open` needs its `close`."""

    _shared: ClassVar[dict[str, HardwareSocket]] = {}
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: str) -> None:
        """Bind and serve; use `open`, which shares one server per path."""
        self.path = path
        self.time = SimulatedTime()
        """What this camera believes about UTC; shared by its clock and its pictures."""
        self._users = 0
        self.watchers: list[Callable[[PinEvent], None]] = []
        """Who in the same process watches the outputs."""
        self._handlers: dict[type, list[Callable[[Any], Answer]]] = {}
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self.runner: Runner = ThreadRunner()
        """Lets the drivers of this camera take their steps."""
        self.things: dict[str, Any] = {}
        """What a world in the same process lays ready for drivers, by the seam's name."""
        self._listener = self._serve_on(path)

    def _serve_on(self, path: str) -> socket.socket | None:
        listener = _listen(path)
        threading.Thread(target=self._accept, args=(listener,), name="hardware-socket", daemon=True).start()
        return listener

    @classmethod
    def open(cls, path: str) -> HardwareSocket:
        """The server for `path`, started if this is its first user.

        Raises `BadDriverOption` for a path that cannot be bound, or on which another process is listening.
        """
        if not isinstance(path, str) or not path:
            raise BadDriverOption(f"hardware_socket = {path!r}: give the path of a Unix socket")
        key = str(Path(path).absolute())
        with cls._sharing:
            shared = cls._shared.get(key)
            if shared is None:
                shared = cls._shared[key] = cls(key)
            shared._users += 1
            return shared

    def close(self) -> None:
        """Give up one use; the last one stops the server and removes the socket."""
        with self._sharing:
            self._users -= 1
            if self._users > 0 or self._shared.get(self.path) is not self:
                return
            del self._shared[self.path]
            Path(self.path).unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.drop()

    def register(self, operation: type[_Op], handler: Callable[[_Op], Answer]) -> Callable[[], None]:
        """Call `handler` for each such operation, on a thread of the server's. Returns what takes it back.

        With several handlers (two cameras) all are called, and the last answer counts. A handler raises `OpRefused`.
        """
        with self._lock:
            handlers = self._handlers.setdefault(operation, [])
            handlers.append(handler)

        def take_back() -> None:
            with self._lock, contextlib.suppress(ValueError):  # taken back already
                handlers.remove(handler)

        return take_back

    def publish(self, event: PinEvent) -> None:
        """Send an event to all that watch. Never blocks."""
        line = encode_line(event)
        for one in tuple(self.watchers):
            one(event)
        with self._lock:
            watching = [connection for connection in self._connections if connection.watching]
        for connection in watching:
            connection.send(line)

    def answer(self, request: Request) -> Answer:
        """Do one operation. Raises `OpRefused`."""
        if isinstance(request, ClockOp):
            return self._set_clock(request)
        wanted: type[Request] = PinsOp if isinstance(request, WatchOp) else type(request)
        with self._lock:
            handlers = list(self._handlers.get(wanted, ()))
        if not handlers:
            if wanted is PinsOp:
                return Answer(ok=True, pins=[])
            raise OpRefused(f"no simulated driver of this camera takes {wanted.__struct_config__.tag!r}")
        answer = Answer(ok=True)
        for handler in handlers:
            answer = handler(PinsOp() if wanted is PinsOp else request)
        return answer

    def _set_clock(self, request: ClockOp) -> Answer:
        if request.utc_offset_ns is not None:
            self.time.set_offset(request.utc_offset_ns)
        if request.source is not None:
            self.time.source = request.source
        if request.uncertainty_ns is not None:
            self.time.uncertainty_ns = request.uncertainty_ns
        if request.drift_ppm is not None:
            self.time.drift(request.drift_ppm)
        return Answer(ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:  # closed by the last user
                return
            connection = _Connection(self, peer)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="hardware-peer", daemon=True).start()

    def _serve(self, connection: _Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()


class _Connection:
    """One peer: its lines in, answers and events out."""

    def __init__(self, server: HardwareSocket, peer: socket.socket) -> None:
        self.watching = False
        self._server = server
        self._peer = peer
        self._sending = threading.Lock()

    def serve(self) -> None:
        """Answer lines until the peer goes."""
        for line in self._lines():
            try:
                if line is None:
                    raise OpRefused(f"a line is at most {MAX_LINE_BYTES} bytes")
                request = decode_request(line)
                # Watch first, list then: a change in between is told twice rather than never.
                self.watching = self.watching or isinstance(request, WatchOp)
                answer = self._server.answer(request)
            except OpRefused as refusal:
                answer = Answer(ok=False, error=str(refusal))
            self.send(encode_line(answer))

    def send(self, line: bytes) -> None:
        """Send without waiting; a peer whose buffer is full is dropped."""
        with self._sending:
            try:
                sent = self._peer.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except OSError:
                sent = 0
        if sent < len(line):
            self.drop()

    def drop(self) -> None:
        """End the connection; its thread then closes it. May be called by any thread, and twice."""
        with contextlib.suppress(OSError):  # gone already
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket. Only the serving thread does this, so that no other one meets a number used anew."""
        with self._sending:
            self._peer.close()

    def _lines(self) -> Iterator[bytes | None]:
        """Whole lines without their ends; None stands for one that was too long."""
        kept = bytearray()
        too_long = False
        while True:
            try:
                received = self._peer.recv(MAX_LINE_BYTES)
            except OSError:
                return
            if not received:
                return
            kept += received
            *lines, rest = kept.split(b"\n")
            for line in lines:
                yield None if too_long or len(line) > MAX_LINE_BYTES else bytes(line)
                too_long = False
            too_long = too_long or len(rest) > MAX_LINE_BYTES
            kept = bytearray() if too_long else bytearray(rest)


def _listen(path: str) -> socket.socket:
    """A listening socket at `path`; a socket file that nobody listens on any more is replaced."""
    if len(path.encode()) > _LONGEST_PATH_BYTES:
        raise BadDriverOption(f"hardware_socket = {path!r}: over {_LONGEST_PATH_BYTES} bytes, use a shorter path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket():
            _remove_if_stale(path)
        listener.bind(path)
        Path(path).chmod(0o600)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise BadDriverOption(f"hardware_socket = {path!r}: cannot be used ({error.strerror})") from error
    return listener


def _remove_if_stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(path) == 0:
            raise BadDriverOption(f"hardware_socket = {path!r}: another process uses it, choose another path")
    Path(path).unlink(missing_ok=True)

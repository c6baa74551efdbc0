"""The door of a world that plays: a Unix socket at which people ask it for deeds and faults.

Threads read lines into a queue, and the world works it off in `World.look`, where all its other work is done: nothing
of the world needs to be safe for threads. An operation that does not understand itself is answered with one sentence,
and the connection goes on.
"""

from __future__ import annotations

import contextlib
import queue
import socketserver
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evidence.errors import EvidenceError
from simulator.run_errors import OutRefused, WorldRefused
from simulator.words import UnknownWord, deed
from simulator.world_messages import (
    MAX_LINE_BYTES,
    BeginOp,
    DoOp,
    EndOp,
    FaultsOp,
    LastingFault,
    NotUnderstood,
    StatusOp,
    WorldAnswer,
    WorldOp,
    decode_operation,
    encode_line,
)

if TYPE_CHECKING:
    from simulator.world import World

ANSWER_WITHIN_S: Final = 60.0
"""A world that does something long (a wheel that is turned, a camera that starts again) answers later than at once."""
_MOST_WAITING: Final = 64


@dataclass
class _Wish:
    """One operation, and where its answer goes."""

    operation: WorldOp
    answered: threading.Event = field(default_factory=threading.Event)
    answer: WorldAnswer | None = None
    given_up: bool = False


class WorldDoor:
    """Listens from its making to `close`. Raises `OutRefused` if it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._wishes: queue.Queue[_Wish] = queue.Queue(_MOST_WAITING)
        self._serving = False
        self._server = _listen(path, self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="world-door", args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nobody is let in any more; who waits is told so. May be called twice."""
        self._server.shutdown()
        self._server.server_close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._answer(self._wishes.get_nowait(), WorldAnswer(ok=False, error="the world has ended"))
        self.path.unlink(missing_ok=True)

    def serve(self, world: World) -> None:
        """Do what was asked since the last time; only the world's own thread calls this.

        Deeds take time in which the world looks again: what is asked then waits for its turn.
        """
        if self._serving or world.busy:
            return
        self._serving = True
        try:
            with contextlib.suppress(queue.Empty):
                while True:
                    wish = self._wishes.get_nowait()
                    if wish.given_up:
                        continue
                    try:
                        self._answer(wish, self._done(wish.operation, world))
                    except BaseException as error:  # the run ends with it, and whoever asked hears why
                        self._answer(wish, WorldAnswer(ok=False, error=str(error)))
                        raise
        finally:
            self._serving = False

    def ask(self, operation: WorldOp) -> WorldAnswer:
        """From any other thread: wait until the world has done it."""
        wish = _Wish(operation)
        try:
            self._wishes.put_nowait(wish)
        except queue.Full:
            return WorldAnswer(ok=False, error="too many people ask this world for something: try again")
        if not wish.answered.wait(ANSWER_WITHIN_S):
            wish.given_up = True
            return WorldAnswer(ok=False, error=f"the world had no time for it within {ANSWER_WITHIN_S:g} s: try again")
        assert wish.answer is not None, "answered means that there is one"
        return wish.answer

    def _done(self, operation: WorldOp, world: World) -> WorldAnswer:
        try:
            match operation:
                case DoOp():
                    world.progress.event(f"> {operation.text} (asked for at the door)")
                    world.deeds.do(deed(operation.text))
                case BeginOp():
                    fault = world.faults.begin(world, operation.name, operation.amount, operation.for_s)
                    return self._told(world, must=fault.must)
                case EndOp():
                    world.faults.end(world, operation.name)
                case StatusOp() | FaultsOp():
                    pass
        except (WorldRefused, UnknownWord, EvidenceError, OSError) as error:
            return WorldAnswer(ok=False, error=str(error))
        return self._told(world)

    def _told(self, world: World, must: str | None = None) -> WorldAnswer:
        now_s = world.now_s()
        lasting = tuple(
            LastingFault(name, one.amount, None if one.until_s is None else round(max(0.0, one.until_s - now_s), 3))
            for name, one in world.faults.lasting.items()
        )
        return WorldAnswer(ok=True, camera=world.camera_text, now_s=round(now_s, 3), must=must, lasting=lasting)

    @staticmethod
    def _answer(wish: _Wish, answer: WorldAnswer) -> None:
        wish.answer = answer
        wish.answered.set()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    door: WorldDoor


class _Visitor(socketserver.StreamRequestHandler):
    """One connection."""

    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the visitor has gone
            while line := self.rfile.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES or not line.endswith(b"\n"):
                    self._say(WorldAnswer(ok=False, error=f"a line is at most {MAX_LINE_BYTES} bytes and has an end"))
                    return
                try:
                    answer = self.server.door.ask(decode_operation(line))
                except NotUnderstood as error:
                    answer = WorldAnswer(ok=False, error=str(error))
                self._say(answer)

    def _say(self, answer: WorldAnswer) -> None:
        self.wfile.write(encode_line(answer))


def _listen(path: Path, door: WorldDoor) -> _Server:
    """For our own user alone, from the first moment on."""
    server = _Server(str(path), _Visitor, bind_and_activate=False)
    server.door = door
    try:
        with contextlib.suppress(FileNotFoundError):
            if path.is_socket():
                path.unlink()
        server.server_bind()
        path.chmod(0o600)  # nobody can connect before it listens
        server.server_activate()
    except OSError as error:
        server.server_close()
        raise OutRefused(f"{path}: the world cannot listen there ({error.strerror or error})") from error
    return server

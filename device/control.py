"""The recorder's Unix socket: JSON lines for the dock agent and technicians (`evidence.handover`).

Every line is limited and strictly parsed; a bad one is answered with one sentence and the connection goes on. Who may
ask what is decided by the peer's user as the kernel states it (SO_PEERCRED), never by the socket file's mode. No verb
plays, exports or deletes evidence (R1).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from evidence.handover import LINE_BYTES, Answer, Done, Notice, Refused
from evidence.requests import EventsRequest, PeerRequest, Request, StatusRequest, TriggerRequest, request_decoder

log = logging.getLogger("firsthand.control")

MAX_CONNECTIONS: Final = 16
LINGER_S: Final = 1.0
"""How long a refused peer may take to send its request; it would lose our sentence otherwise."""
BACKLOG_NOTICES: Final = 1024
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Access:
    """Which users may ask what (R33). Pure."""

    everything: frozenset[int]
    """Root, the daemon's own user, technicians, the dock agent."""
    triggers: frozenset[int] = frozenset()
    """A radio's bridge: the state, message triggers, and peers' announcements, which are signed."""

    def refusal(self, uid: int) -> str | None:
        """Why this user may not even connect; None if it may."""
        if uid in self.everything or uid in self.triggers:
            return None
        return "this user may not talk to the recorder: see peer_users and trigger_users in device.toml"

    def refusal_of(self, uid: int, request: Request) -> str | None:
        """Why this user may not ask this; None if it may."""
        if uid in self.everything or isinstance(request, StatusRequest | TriggerRequest | PeerRequest):
            return None
        return "this user may only ask for the status and pull message triggers: see trigger_users"


class ControlServer:
    """Serves one socket. `handle` answers every request but `events`."""

    def __init__(
        self,
        path: Path,
        handle: Callable[[Request], Awaitable[Answer]],
        peer_uids: frozenset[int],
        trigger_uids: frozenset[int] = frozenset(),
    ) -> None:
        self._path = path
        self._handle = handle
        self._access = Access(peer_uids | {0, os.getuid()}, trigger_uids)
        self._server: asyncio.Server | None = None
        self._followers: set[asyncio.Queue[Notice | None]] = set()
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket that a dead daemon left behind is replaced. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, str(self._path), limit=LINE_BYTES)
        self._path.chmod(0o660)

    async def stop(self) -> None:
        """Close the socket and all connections."""
        if self._server is not None:
            self._server.close()
        for follower in self._followers:
            follower.put_nowait(None)
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            self._path.unlink(missing_ok=True)

    def publish(self, notice: Notice) -> None:
        """Send a notice to all who follow. One who does not read is let go."""
        for follower in tuple(self._followers):
            if follower.qsize() >= BACKLOG_NOTICES:
                self._followers.discard(follower)
                follower.put_nowait(None)
            else:
                follower.put_nowait(notice)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            uid = self._peer_uid(writer)
            if len(self._connections) > MAX_CONNECTIONS:
                await self._refuse(reader, writer, "too many connections: close one and try again")
            elif (refusal := self._access.refusal(uid)) is not None:
                await self._refuse(reader, writer, refusal)
            else:
                await self._serve(reader, writer, uid)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # by `stop`; asyncio's streams (3.11) would log a cancelled connection as an error with a traceback
        finally:
            self._connections.discard(task)
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, why: str) -> None:
        """Say why, and let the other side send its request and read the answer before the line goes dead."""
        await _send(writer, Refused(error=why))
        if len(self._connections) <= 2 * MAX_CONNECTIONS:
            writer.write_eof()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(LINE_BYTES), LINGER_S)

    @staticmethod
    def _peer_uid(writer: asyncio.StreamWriter) -> int:
        peer: socket.socket = writer.get_extra_info("socket")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uid: int) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                await _send(writer, Refused(error=f"a line is longer than {LINE_BYTES} bytes"))
                return
            try:
                request = request_decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                await _send(writer, Refused(error=f"not a request: {error}"))
                continue
            if (refusal := self._access.refusal_of(uid, request)) is not None:
                await _send(writer, Refused(error=refusal))
                continue
            if isinstance(request, EventsRequest):
                await self._follow(reader, writer)
                return
            await _send(writer, await self._handle(request))

    def follow(self) -> asyncio.Queue[Notice | None]:
        """What is published from now on; None is the end. A queue that nobody empties is let go."""
        queue: asyncio.Queue[Notice | None] = asyncio.Queue()
        self._followers.add(queue)
        return queue

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue = self.follow()
        gone = asyncio.ensure_future(_until_gone(reader, queue))
        try:
            await _send(writer, Done())
            while (notice := await queue.get()) is not None:
                await _send(writer, notice)
        finally:
            gone.cancel()
            self._followers.discard(queue)


async def _until_gone(reader: asyncio.StreamReader, queue: asyncio.Queue[Notice | None]) -> None:
    """A follower who has gone must not hold its place until the next notice. What it says is not read."""
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        pass
    queue.put_nowait(None)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(_ENCODER.encode(answer) + b"\n")
    await writer.drain()

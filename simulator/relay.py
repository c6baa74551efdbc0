"""A TCP relay that plays the network between two programs: delays, stalls, cuts and tears what passes (R6, R30).

It carries bytes and understands none of them: TLS goes through untouched, and no certificate of ours is in between. It
waits on its event loop's clock only, so it runs on a virtual one as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Final, Literal

from simulator.link_model import PERFECT, Conditions, Way, Wire

HOST: Final = "127.0.0.1"
Line = Literal["up", "cut", "silent"]
"""`cut`: connections are torn down, new ones too. `silent`: they stay, and nothing arrives any more."""
Mishap = Literal["reset", "cut", "silent", "half_open"]
_BLOCK_BYTES: Final = 16 * 1024
_BLOCKS_IN_FLIGHT: Final = 256
_AHEAD_S: Final = 0.05
"""How much of a slow line's work may wait inside the relay: little, so that what was sent is soon there."""
_DIAL_S: Final = 10.0


@dataclass
class Counts:
    """What went over a link so far."""

    connections: int = 0
    refused: int = 0
    """Connections that were torn down because the line was cut."""
    up_bytes: int = 0
    """Towards the target."""
    down_bytes: int = 0


@dataclass(eq=False)
class _Carried:
    """One connection: the caller's end and the target's."""

    caller: asyncio.StreamWriter
    target: asyncio.StreamWriter | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    orphan: bool = False
    """The target is gone, and nobody told the caller."""

    def tear(self) -> None:
        for writer in (self.caller, self.target):
            if writer is not None:
                _reset(writer)


class Relay:
    """One link: listens for callers, and carries each to `port` on this machine. All methods run on its loop."""

    def __init__(self, name: str, port: int, *, seed: int = 1) -> None:
        self.name = name
        self.target_port = port
        """Where new connections go; may be changed at any time."""
        self.conditions: Conditions = PERFECT
        self.counts = Counts()
        self.line: Line = "up"
        self._seed = seed
        self._wires = Wire(), Wire()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._mishap: tuple[int, Mishap] | None = None
        self._open: set[_Carried] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen; the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, HOST, port, limit=_BLOCK_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more and tear down what is open."""
        if self._server is not None:
            self._server.close()
        tasks = [task for one in self._open for task in one.tasks]
        self._tear_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def set_line(self, line: Line) -> None:
        """Cut the line, silence it, or bring it back."""
        self.line = line
        if line == "silent":
            self._flowing.clear()
        else:
            self._flowing.set()
        if line == "cut":
            self._tear_all()

    def happen(self, mishap: Mishap) -> None:
        """Something happens to what is open now: torn down, or (`half_open`) the target's end vanishes untold."""
        if mishap == "reset":
            self._tear_all()
        elif mishap == "half_open":
            for one in self._open:
                one.orphan = True
                if one.target is not None:
                    _reset(one.target)
        else:
            self.set_line(mishap)

    def happen_after(self, size_bytes: int, mishap: Mishap) -> None:
        """Let it happen when so many more bytes have gone up: not one byte more passes before it does."""
        self._mishap = self.counts.up_bytes + size_bytes, mishap

    # --- connections --------------------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.line == "cut":
            self.counts.refused += 1
            _reset(writer)
            return
        self.counts.connections += 1
        number = self.counts.connections
        one = _Carried(writer)
        task = asyncio.current_task()
        assert task is not None
        one.tasks.append(task)
        self._open.add(one)
        try:
            await self._carry(one, reader, number)
        except (OSError, TimeoutError):
            pass  # one end is gone: so is the other, below
        finally:
            self._open.discard(one)
            one.tear()

    async def _carry(self, one: _Carried, reader: asyncio.StreamReader, number: int) -> None:
        await self._flowing.wait()
        async with asyncio.timeout(_DIAL_S):
            back, one.target = await asyncio.open_connection(HOST, self.target_port, limit=_BLOCK_BYTES)
        up = self._one_way(one, reader, one.target, Way(f"{self._seed} {number} up", self._wires[0]), up=True)
        down = self._one_way(one, back, one.caller, Way(f"{self._seed} {number} down", self._wires[1]), up=False)
        ways = [asyncio.ensure_future(up), asyncio.ensure_future(down)]
        one.tasks += ways
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        if one.orphan:
            await self._deaf(reader)

    async def _one_way(
        self, one: _Carried, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, *, up: bool
    ) -> None:
        """Read, and deliver when the model says so, in order; ends when the sender has said all."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_BLOCKS_IN_FLIGHT)
        delivery = asyncio.ensure_future(self._deliver(one, queue, writer, up=up))
        loop = asyncio.get_running_loop()
        try:
            while not delivery.done():
                data = await reader.read(_BLOCK_BYTES)
                due_s = way.arrives_s(loop.time(), len(data), self.conditions)
                await queue.put((due_s, data))
                if not data:
                    break
                ahead_s = way.free_s() - loop.time() - _AHEAD_S
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
            await delivery
        except OSError:
            if not one.orphan:
                raise
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    async def _deliver(
        self, one: _Carried, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, data = await queue.get()
            if (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await self._flowing.wait()
            if not data:
                if not one.orphan and writer.can_write_eof():
                    writer.write_eof()
                return
            if up:
                data = await self._until_mishap(data, writer)
            writer.write(data)
            await writer.drain()
            if up:
                self.counts.up_bytes += len(data)
            else:
                self.counts.down_bytes += len(data)

    async def _until_mishap(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        """What of it is still to be sent: all, or what is left once the mishap has come and gone."""
        if self._mishap is None:
            return data
        at, mishap = self._mishap
        room = max(0, at - self.counts.up_bytes)
        if len(data) < room:
            return data
        self._mishap = None
        writer.write(data[:room])
        await writer.drain()
        self.counts.up_bytes += room
        self.happen(mishap)
        await self._flowing.wait()
        return data[room:]

    async def _deaf(self, reader: asyncio.StreamReader) -> None:
        """The caller speaks on, and nobody hears it."""
        while await reader.read(_BLOCK_BYTES):
            continue

    def _tear_all(self) -> None:
        for one in self._open:
            one.tear()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End it with an RST, as a router that forgot the connection does, and not with a farewell."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

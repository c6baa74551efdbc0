"""The network between agent and station in one process: requests instead of packets, on virtual time.

The same words as for the network between processes (`simulator.network_words`), and the same model of what a link does
to bytes. A request that is torn apart never reaches the station whole, and its answer never the camera.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from simulator.link_model import PERFECT, Conditions, Way, Wire
from simulator.network_words import Aim, Ask, Happen, NetworkOp, SetLine, Shape
from simulator.relay import Counts, Line, Mishap
from simulator.run_errors import WorldRefused

STATION: Final = "station"
_HEAD_BYTES: Final = 400
"""About what the head of a request or an answer is, with its share of TLS."""


class Torn(ConnectionError):
    """The connection broke."""


class VirtualNetwork:
    """`simulator.network_words.Doer` for the one link that a camera has here."""

    def __init__(self, seed: int) -> None:
        self._conditions = PERFECT
        self._line: Line = "up"
        self._mishap: tuple[Mishap, int] | None = None
        self._up, self._down = Way(f"{seed} up", Wire()), Way(f"{seed} down", Wire())
        self._changed = asyncio.Event()
        self._resets = 0
        """How often all that was under way was torn."""
        self._losses = 0
        """How often all that was under way was lost, and nobody told."""
        self.counts = Counts()

    def do(self, op: NetworkOp) -> dict[str, Any]:
        if op.link != STATION:
            raise WorldRefused(f"in virtual time there is no link {op.link!r}, only {STATION!r}")
        match op:
            case Shape():
                self._conditions = Conditions(
                    op.latency_ms / 1000, op.jitter_ms / 1000, op.loss_percent / 100, op.kbit_s * 125
                )
            case SetLine():
                self._set(op.line)
            case Happen():
                self._mishap = (op.what, self.counts.up_bytes + op.after_bytes)
                self._look_out()
            case Aim():
                raise WorldRefused("in virtual time only one station answers")
            case Ask():
                counts = self.counts
                return {
                    "connections": counts.connections, "open": 0, "refused": counts.refused,
                    "up_bytes": counts.up_bytes, "down_bytes": counts.down_bytes,
                }  # fmt: skip
        return {}

    async def up(self, size_bytes: int) -> None:
        """A request of so many bytes goes to the station. Raises `Torn`."""
        self.counts.connections += 1
        await self._carry(self._up, size_bytes + _HEAD_BYTES, upward=True)

    async def down(self, size_bytes: int) -> None:
        """An answer comes back. Raises `Torn`."""
        await self._carry(self._down, size_bytes + _HEAD_BYTES, upward=False)

    async def _carry(self, way: Way, size_bytes: int, *, upward: bool) -> None:
        await self._usable()
        resets, losses = self._resets, self._losses
        if upward:
            self.counts.up_bytes += size_bytes
            self._look_out()
            await self._arrives(resets, losses)
        else:
            self.counts.down_bytes += size_bytes
        if self._conditions == PERFECT:
            return
        now_s = asyncio.get_running_loop().time()
        wait_s = way.arrives_s(now_s, size_bytes, self._conditions) - now_s
        changed = self._changed
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await changed.wait()
        except TimeoutError:
            return
        await self._arrives(resets, losses)

    async def _usable(self) -> None:
        """Raises `Torn` if the line is cut; waits while nothing arrives."""
        while self._line == "silent":
            await self._changed.wait()
        if self._line == "cut":
            self.counts.refused += 1
            raise Torn("the network is cut")

    async def _arrives(self, resets: int, losses: int) -> None:
        """What was sent while those were the counts arrives now, or is torn, or never comes."""
        await self._usable()
        if self._resets != resets:
            raise Torn("connection reset by peer")
        if self._losses != losses:
            await asyncio.Event().wait()

    def _look_out(self) -> None:
        if self._mishap is None or self.counts.up_bytes < self._mishap[1]:
            return
        what, self._mishap = self._mishap[0], None
        if what == "reset":
            self._resets += 1
        elif what == "half_open":
            self._losses += 1
        self._set(what if what in ("cut", "silent") else self._line)

    def _set(self, line: Line) -> None:
        self._line = line
        self._changed.set()
        self._changed = asyncio.Event()

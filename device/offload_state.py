"""How far the offload is, as the agent says: for the officer's screen, never for the evidence (R30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from device.part import Part
from evidence.handover import Answer, Done
from evidence.requests import Offloading, OffloadRequest, Request

if TYPE_CHECKING:
    from device.daemon import Daemon

SILENCE_NS: Final = 60 * 10**9
"""After so long without a word nobody knows how far it is."""


class OffloadState(Part):
    """Keeps the agent's last word. It decides nothing, and nothing waits for it."""

    name = "offload"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._told: Offloading | None = None
        self._told_ns = 0

    async def answer(self, request: Request) -> Answer | None:
        """Take the agent's word."""
        if not isinstance(request, OffloadRequest):
            return None
        self._told, self._told_ns = request.offloading, self.daemon.clock.boottime_ns()
        return Done()

    def now(self) -> Offloading | None:
        """The agent's last word; None if it has been silent."""
        if self._told is not None and self.daemon.clock.boottime_ns() - self._told_ns > SILENCE_NS:
            self._told = None
        return self._told

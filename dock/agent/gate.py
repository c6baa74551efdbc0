"""The permission of this moment, and what it costs: link, window, bandwidth, the day's megabytes (R6, R30)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dock.agent.bandwidth import Bandwidth
from dock.agent.ledger import UploadLedger
from dock.agent.links import SYS_CLASS_NET, interfaces_up
from dock.agent.permission import Permission, Situation, decide
from dock.agent.windows import minute_of_day
from dock.config import Offload
from dock.errors import UploadStopped
from evidence.handover import Status
from hal import program_time

_AHEAD_BYTES: Final = 2**20
"""Counted ahead in the ledger, so that a kill loses at most this much of the budget and never overspends it."""


def _now() -> dt.datetime:
    return program_time.utc_now()


class Gate:
    """Looks at the links and the clock, and keeps to what was decided."""

    def __init__(
        self,
        options: Offload,
        ledger: UploadLedger,
        *,
        net: Path = SYS_CLASS_NET,
        now: Callable[[], dt.datetime] = _now,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._net = net
        self._now = now
        self.bandwidth = bandwidth or Bandwidth()
        self._day = ""
        self._spent = 0
        self._ahead = 0
        """Bytes that stand in the ledger and were not sent yet."""

    def look(self, status: Status | None) -> Permission:
        """What may be uploaded in this situation. Reads a few small files of /sys and, on a new day, the ledger."""
        now = self._now()
        local = now.astimezone() if self._options.windows_clock == "local" else now
        self._turn_page(now)
        permission = decide(
            Situation(
                status=status,
                up=interfaces_up(self._net) if self._options.away or self._options.dock_interfaces else (),
                minute=minute_of_day(local),
                spent_bytes=self._spent - self._ahead,
            ),
            self._options,
        )
        self.bandwidth.limit(permission.kbit_s)
        return permission

    async def take(self, permission: Permission, most: int) -> tuple[int, float]:
        """How many of `most` bytes may be sent in one go, and the seconds to wait before that. They count as sent.

        Raises `UploadStopped` if the day's budget is used up.
        """
        count = self.bandwidth.piece(most)
        if permission.left_bytes is not None:
            count = min(count, self._left())
            if count <= 0:
                raise UploadStopped("today's megabytes over LTE are used up")
            more = max(0, min(max(_AHEAD_BYTES, count - self._ahead), self._left() - self._ahead))
            more = more if self._ahead < count else 0
            self._spent += more
            self._ahead += more - count
            if more:
                await asyncio.to_thread(self._ledger.spend, self._day, more)
        return count, self.bandwidth.reserve(count)

    def _left(self) -> int:
        """Bytes of today's budget that were not sent."""
        self._turn_page(self._now())
        away = self._options.away
        limit = away.lte_mb_day * 10**6 if away is not None and away.lte_mb_day is not None else 0
        return limit - (self._spent - self._ahead)

    def _turn_page(self, now: dt.datetime) -> None:
        day = now.strftime("%Y-%m-%d")
        if day != self._day:
            self._day, self._spent, self._ahead = day, self._ledger.spent(day), 0

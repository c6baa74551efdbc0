"""Tells the station which files have their receipt and wait only for a vault proof (R40, invariant 8).

The recorder knows best: a category may have made a recording critical after it was closed, or its state was lost. The
station finds out what helps, and puts it on the vault holder's list. Nothing here deletes, and nothing waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from dock.agent.recorder_client import RecorderClient
from dock.agent.session import Session
from dock.transport.https import StationLink, refuse
from hal import program_time

log = logging.getLogger(__name__)
LOOK_S: Final = 5.0
AGAIN_S: Final = 600.0
"""So often the same files are told again: proofs may have come and gone meanwhile."""
_MOST: Final = 1000
_DEAF: Final = frozenset({400, 404, 413})


class MissingProofs:
    """Runs beside the uploads of each session."""

    def __init__(self, recorder: RecorderClient) -> None:
        self._recorder = recorder
        self._told: tuple[str, ...] = ()
        self._told_s = float("-inf")

    async def beside(self, session: Session) -> None:
        """Tell what changed, for as long as the session lasts."""
        link = session.new_link()
        self._told = ()
        while True:
            status = session.watch.status
            if status is not None and status.proof_missing and not await self._tell(link):
                return
            await session.pause(LOOK_S)

    async def _tell(self, link: StationLink) -> bool:
        """False if this station knows nothing of proofs."""
        spool = await self._recorder.spool()
        names = tuple(sorted(one.name for one in spool.files if one.proof_missing))[:_MOST]
        now_s = program_time.monotonic_s()
        if not names or (names == self._told and now_s - self._told_s < AGAIN_S):
            return True
        body = msgspec.json.encode({"names": names})
        headers = {"Content-Type": "application/json"}
        answer = await asyncio.to_thread(link.call, "POST", "/proofs/missing", headers, body)
        if answer.status in _DEAF:
            log.info("the station takes no word about missing proofs: %d %s", answer.status, answer.body[:200])
            return False
        refuse(answer, "telling which proofs are missing")
        self._told, self._told_s = names, now_s
        return True

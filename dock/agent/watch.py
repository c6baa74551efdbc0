"""What the agent knows of the camera at this moment: asked every few seconds, and at once when something happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from dock.agent.backoff import Backoff
from dock.agent.permission import Permission
from dock.agent.recorder_client import RecorderClient
from dock.errors import RecorderConfused, RecorderRefused, RecorderUnreachable
from evidence.handover import Notice, Status

log = logging.getLogger(__name__)
RECORDER_TROUBLE = (RecorderUnreachable, RecorderRefused, RecorderConfused)


class Teller(Protocol):
    """Whom the agent tells what happens: telemetry, or nobody."""

    async def event(self, name: str, data: dict[str, Any]) -> None:
        """Something happened. Durable when it returns, if there is telemetry."""
        ...

    async def state(self, status: Status) -> None:
        """How the camera is now."""
        ...


class CameraWatch:
    """Keeps the newest status, and what may be uploaded then. Without one, nothing."""

    def __init__(
        self,
        recorder: RecorderClient,
        teller: Teller,
        look: Callable[[Status | None], Permission],
        *,
        poll_s: float,
        backoff: Backoff,
    ) -> None:
        self._recorder = recorder
        self._look = look
        self._teller = teller
        self._poll_s = poll_s
        self._backoff = backoff
        self._poke = asyncio.Event()
        self._changed = asyncio.Condition()
        self.status: Status | None = None
        self.permission = look(None)
        """What may be uploaded now (`dock.agent.permission`)."""

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait for a status that makes `wanted` true."""
        async with self._changed:
            await self._changed.wait_for(wanted)

    async def reconsider(self) -> None:
        """Look at links, clock and budget again."""
        await self._set(self.status)

    async def poll(self) -> None:
        """Ask for the status for ever; retries `RECORDER_TROUBLE`."""
        while True:
            self._poke.clear()
            try:
                status = await self._recorder.status()
            except RECORDER_TROUBLE as error:
                log.warning("no status from the recorder: %s", error)
                await self._set(None)
                await self._pause(self._backoff.next_s())
            else:
                self._backoff.reset()
                await self._set(status)
                await self._teller.state(status)
                await self._pause(self._poll_s)

    async def follow(self, backoff: Backoff, told: Callable[[Notice], Awaitable[None]]) -> None:
        """Pass on the recorder's events for ever; retries `RECORDER_TROUBLE`."""
        while True:
            try:
                async for notice in self._recorder.events():
                    backoff.reset()
                    await self._recording_first(notice)
                    self._poke.set()
                    await told(notice)
            except RECORDER_TROUBLE as error:
                log.info("no events from the recorder: %s", error)
            await asyncio.sleep(backoff.next_s())

    async def _recording_first(self, notice: Notice) -> None:
        """A start pre-empts at once, before the recorder has answered anything (invariant 1)."""
        began = notice.event == "recording_opened" or (notice.event == "state" and notice.word == "recording")
        if began and self.status is not None:
            await self._set(msgspec.structs.replace(self.status, state="recording"))

    async def _set(self, status: Status | None) -> None:
        async with self._changed:
            self.status, self.permission = status, self._look(status)
            self._changed.notify_all()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return

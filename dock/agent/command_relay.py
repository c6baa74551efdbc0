"""Signed commands from the broker to the recorder, and its answers back (R33). It judges nothing: the recorder does."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from dock.agent.backoff import Backoff
from dock.agent.recorder_client import RecorderClient
from dock.errors import RecorderConfused, RecorderRefused, RecorderUnreachable
from dock.mqtt.commands import NAME, Answered, Asked, CommandLine

log = logging.getLogger(__name__)
_ANSWER_S: Final = 10.0
_TRIES: Final = 8


class CommandRelay:
    """Between the broker's connection and one recorder's socket."""

    def __init__(self, recorder_socket: Path, line: CommandLine) -> None:
        self.line = line
        self._recorder = RecorderClient(recorder_socket, answer_s=_ANSWER_S)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.answer: Callable[[str, dict[str, Any]], Awaitable[None]] | None = None
        """Keeps an answer durably until the broker has it."""

    def heard(self, document: bytes, reply_to: str | None, correlation: bytes | None, *, retained: bool) -> None:
        """A command came from the broker (its thread)."""
        dropped = self.line.put(document, reply_to, correlation, retained=retained)
        if dropped is not None:
            log.warning("a command that came over MQTT is dropped: %s", dropped)
            return
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Hand over for ever."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                while (asked := self.line.take()) is not None:
                    await self._one(asked)
                await self._wake.wait()
        finally:
            await self._recorder.close()

    async def _one(self, asked: Asked) -> None:
        answered = self.line.known(asked)
        if answered is None:
            answered = await self._hand_over(asked)
        data: dict[str, Any] = {"request": answered.request, "error": answered.error}
        if asked.reply_to is not None:
            data["reply_to"] = asked.reply_to
        if asked.correlation is not None:
            data["correlation"] = base64.b64encode(asked.correlation).decode()
        if self.answer is not None:
            await self.answer(NAME, data)

    async def _hand_over(self, asked: Asked) -> Answered:
        """The recorder's answer, remembered; or that it could not be asked, which is not."""
        backoff = Backoff(0.1, 2.0)
        for _ in range(_TRIES):
            try:
                await self._recorder.command(asked.document)
            except RecorderRefused as error:
                answered = Answered(asked.sha256, str(error)[:500])
            except (RecorderUnreachable, RecorderConfused) as error:
                log.info("a command waits for the recorder: %s", error)
                await asyncio.sleep(backoff.next_s())
                continue
            else:
                answered = Answered(asked.sha256, None)
            self.line.remember(answered)
            return answered
        return Answered(asked.sha256, "the camera's recorder could not be asked: send the command again")

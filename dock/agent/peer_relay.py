"""Starts of this camera to its peers, and theirs to its own recorder (R23). It decides nothing: the recorder checks.

It has its own connections to the recorder's socket, so that no receipt and no slow outbox stands before a start. A
peer's start that cannot be passed on costs nobody a recording: what is wrong is logged once, and forgotten.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dock.agent.backoff import Backoff
from dock.agent.recorder_client import RecorderClient
from dock.errors import RecorderConfused, RecorderRefused, RecorderUnreachable
from dock.mqtt.peers import ANNOUNCEMENT_BYTES, FRESH_S, OwnStarts, PeerStarts
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Notice, decode_peer_start
from hal import program_time

log = logging.getLogger(__name__)
_ANSWER_S: Final = 5.0
_TOLD: Final = 256


class PeerRelay:
    """Between one recorder's socket and the connection to the broker. Either way may be off (None)."""

    def __init__(self, recorder_socket: Path, own: OwnStarts | None, peers: PeerStarts | None) -> None:
        self.own = own
        self.peers = peers
        self._recorder = RecorderClient(recorder_socket, answer_s=_ANSWER_S)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.on_announcement: Callable[[], None] = lambda: None
        """Called on the loop when there is something to send."""

    async def run(self) -> None:
        """Relay for ever; retries what the recorder's socket may do (`dock.errors`)."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(self._send(), self._receive())
        finally:
            await self._recorder.close()

    # --- this camera's starts -----------------------------------------------------------------------------------------

    async def _send(self) -> None:
        """Pass on what the recorder announces."""
        backoff = Backoff(0.2, 5.0)
        while self.own is not None:
            try:
                async for notice in self._recorder.events():
                    backoff.reset()
                    self._announce(notice)
            except (RecorderUnreachable, RecorderRefused, RecorderConfused) as error:
                log.info("no announcements from the recorder: %s", error)
            await asyncio.sleep(backoff.next_s())

    def _announce(self, notice: Notice) -> None:
        if self.own is None or notice.event != "peer_start" or notice.word is None:
            return
        try:
            announcement = base64.b64decode(notice.word, validate=True)
        except (binascii.Error, ValueError):
            announcement = b""
        if not 0 < len(announcement) <= ANNOUNCEMENT_BYTES:
            log.warning("the recorder's announcement is not one: nothing is sent to peers")
            return
        self.own.put(announcement, program_time.monotonic_s())
        self.on_announcement()

    # --- peers' starts ------------------------------------------------------------------------------------------------

    def heard(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Something came from the broker (its thread)."""
        loop = self._loop
        if self.peers is None or loop is None or loop.is_closed():
            return
        dropped = self.peers.put(topic, payload, program_time.monotonic_s(), retained=retained)
        wake = self._wake.set if dropped is None else None
        try:
            if wake is not None:
                loop.call_soon_threadsafe(wake)
            elif dropped not in ("own", "again"):
                loop.call_soon_threadsafe(self._tell_once, topic.rpartition("/")[2][:32], f"dropped: {dropped}")
        except RuntimeError:
            return  # the loop has just ended, and with it the agent

    async def _receive(self) -> None:
        """Hand over what was heard, one camera after the other."""
        while self.peers is not None:
            self._wake.clear()
            while (one := self.peers.take(program_time.monotonic_s())) is not None:
                await self._hand_over(*one)
            await self._wake.wait()

    async def _hand_over(self, serial: str, at_s: float, announcement: bytes) -> None:
        """Give one announcement to the recorder, as long as it is fresh."""
        backoff = Backoff(0.1, 2.0)
        try:
            said = decode_peer_start(cms.parse_signed(announcement, limit=ANNOUNCEMENT_BYTES).payload)
        except EvidenceError as error:
            self._tell_once(serial, f"not an announcement: {error}")
            return
        if said.serial != serial:
            self._tell_once(serial, "it speaks for another camera")
            return
        while program_time.monotonic_s() - at_s <= FRESH_S:
            try:
                await self._recorder.peer(announcement)
                log.info("camera %s began to record: told to the recorder", serial)
            except (RecorderRefused, RecorderConfused) as error:
                self._tell_once(serial, str(error))
            except RecorderUnreachable as error:
                log.info("a peer's start waits for the recorder: %s", error)
                await asyncio.sleep(backoff.next_s())
                continue
            return

    def _tell_once(self, serial: str, why: str) -> None:
        """A refusal is logged once for each camera and cause."""
        key = (serial, why)
        if key in self._told:
            return
        self._told[key] = None
        if len(self._told) > _TOLD:
            self._told.popitem(last=False)
        log.warning("an announcement of camera %r is not taken: %s", serial, why)

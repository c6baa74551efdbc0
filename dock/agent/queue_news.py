"""The recorder's queue for supervisors, item by item into telemetry: kept until it is sent (R11, R29).

A notice is heard or not; the queue is kept. So each item is told once when it appears and once when it is over, also
if neither agent nor broker was there at that time. What was told is kept beside the outbox; losing that tells it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from dock.agent.backoff import Backoff
from dock.agent.recorder_client import RecorderClient
from dock.agent.watch import RECORDER_TROUBLE, Teller
from dock.mqtt.messages import QueueItem, queue_data, queue_items
from evidence import durable

log = logging.getLogger(__name__)

QUEUE_NOTICES: Final = frozenset({"queue", "failure_ended", "malfunction"})
"""After these the queue has something new to say."""
LOOK_S: Final = 300.0
"""It is looked at so often whatever happens."""
SETTLE_S: Final = 0.5
"""Items of one cause come together."""
TOLD_BYTES: Final = 64 * 1024
_TOLD: Final = msgspec.json.Decoder(dict[str, bool])


def key_of(item: QueueItem) -> str:
    """Names an item for good: numbers begin anew if the recorder's queue was lost."""
    return f"{item.id}:{item.noticed}"


def news(items: Iterable[QueueItem], told: Mapping[str, bool]) -> list[QueueItem]:
    """Items that nobody was told of, and those of which nobody was told that they are over. Pure.

    `told` says of each item that was told whether it was told as over.
    """
    return [one for one in items if key_of(one) not in told or (one.end is not None and not told[key_of(one)])]


class QueueNews:
    """Tells the queue of one recorder."""

    def __init__(self, recorder: RecorderClient, teller: Teller, path: Path) -> None:
        self._recorder = recorder
        self._teller = teller
        self._path = path
        self._told = _read(path)
        self._poke = asyncio.Event()

    def look(self) -> None:
        """There may be something new."""
        self._poke.set()

    async def run(self) -> None:
        """Look for ever; retries `RECORDER_TROUBLE`."""
        backoff = Backoff(1.0, 60.0)
        while True:
            self._poke.clear()
            try:
                await self._tell(queue_items(await self._recorder.queue()))
            except RECORDER_TROUBLE as error:
                log.info("the supervisor's queue cannot be asked for: %s", error)
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._poke.wait()
                await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                continue

    async def _tell(self, items: list[QueueItem]) -> None:
        new = news(items, self._told)
        for one in new:
            await self._teller.event("queue_item", queue_data(one))  # durable when it returns
        if new:
            self._told = {key_of(one): one.end is not None for one in items}
            await asyncio.to_thread(_write, self._path, self._told)


def _read(path: Path) -> dict[str, bool]:
    try:
        data = path.read_bytes() if path.stat().st_size <= TOLD_BYTES else b""
        return _TOLD.decode(data)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("%s cannot be read, the supervisor's queue is told again: %s", path, error)
        return {}


def _write(path: Path, told: dict[str, bool]) -> None:
    try:
        durable.replace(path, msgspec.json.encode(told))
    except OSError as error:
        log.warning("%s cannot be written, the supervisor's queue will be told again: %s", path, error)

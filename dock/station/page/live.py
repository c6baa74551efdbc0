"""The board, kept up to date: what changed is rendered here and sent to each screen (server-sent events).

1. A screen says which version of the board it has. If that is not the newest it gets all cards, else only changes.
2. The number of streams is bounded, and one that does not keep up is ended: it comes again and gets all cards.
3. A stream ends with the session that opened it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment

from dock.config import PageSettings
from dock.station.page.board import Card, Summary, summary_of
from dock.station.page.card_maker import CardMaker
from dock.station.station import Station

log = logging.getLogger(__name__)
_COALESCE_S: Final = 0.2
_TICK_S: Final = 5.0
_BEHIND_MOST: Final = 512


@dataclass(frozen=True)
class Change:
    """One step from a version of the board to the next."""

    version: str
    cards: tuple[Card, ...]
    gone: tuple[str, ...]
    """Keys of cards that are no longer there."""
    summary: Summary


@dataclass(eq=False)
class Stream:
    """One screen."""

    wall: bool
    waiting: asyncio.Queue[Change] = field(default_factory=lambda: asyncio.Queue(_BEHIND_MOST))
    behind: bool = False


def key_of(card: Card) -> str:
    """The card's id on the page."""
    return f"bay-{card.serial}" if card.serial else f"bay-empty-{card.bay}"


class LiveBoard:
    """All cards, and who looks at them. On one event loop, but for `heard`."""

    def __init__(self, station: Station, settings: PageSettings, templates: Environment) -> None:
        self._station = station
        self._settings = settings
        self._epoch = secrets.token_hex(4)
        self._count = 0
        self._cards: dict[str, Card] = {}
        self._notices: tuple[str, ...] = ()
        self._maker = CardMaker(station, settings)
        self._looking = asyncio.Lock()
        self._streams: set[Stream] = set()
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        template = templates.get_template("card.html")

        def render(card: Card, wall: bool) -> str:
            return template.render(card=card, key=key_of(card), wall=wall)

        self.render: Callable[[Card, bool], str] = functools.lru_cache(2048)(render)
        """A card as HTML; on the wall without names and links."""
        self._summary = templates.get_template("summary.html")
        self.closed = False

    async def begin(self) -> None:
        """Listen to the station."""
        self._loop = asyncio.get_running_loop()
        self._station.listeners.append(self.heard)
        await self.look()

    def heard(self, _what: str, serial: str | None) -> None:
        """Something happened (any thread)."""
        if serial is not None:
            self._maker.heard(serial)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def run(self) -> None:
        """Look again whenever something happened, and as time goes by."""
        while True:
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._changed.wait()
                if not self._streams:  # nobody looks: no haste
                    self._wanted.clear()
                    await self._wanted.wait()
                await asyncio.sleep(_COALESCE_S)
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self.look()
            except (OSError, sqlite3.Error) as error:
                log.error("the board is not up to date: %s", error)

    @property
    def version(self) -> str:
        return f"{self._epoch}-{self._count}"

    def cards(self) -> list[Card]:
        """All cards, bays by their name and then cameras by serial."""
        return sorted(self._cards.values(), key=lambda card: card.sort)

    def summary(self) -> Summary:
        return summary_of(self.cards(), self._notices)

    def card(self, serial: str) -> Card | None:
        return self._cards.get(f"bay-{serial}")

    async def look(self) -> None:
        """Make all cards anew and tell the screens what is different. Raises OSError, sqlite3.Error."""
        async with self._looking:
            cards = await asyncio.to_thread(self._maker.cards)
            notices = await asyncio.to_thread(self._station.notices)
            self._take({key_of(card): card for card in cards}, notices)

    def _take(self, new: dict[str, Card], notices: tuple[str, ...]) -> None:
        changed = tuple(card for key, card in new.items() if self._cards.get(key) != card)
        gone = tuple(key for key in self._cards if key not in new)
        if not changed and not gone and notices == self._notices:
            return
        self._cards, self._notices = new, notices
        self._count += 1
        change = Change(self.version, changed, gone, self.summary())
        for stream in tuple(self._streams):
            try:
                stream.waiting.put_nowait(change)
            except asyncio.QueueFull:
                stream.behind = True
                self._streams.discard(stream)

    def subscribe(self, *, wall: bool) -> Stream | None:
        """A new screen; None if there are too many. Strangers at the wall take half of the streams at most."""
        walls = sum(stream.wall for stream in self._streams)
        if self.closed or len(self._streams) >= self._settings.live_streams:
            return None
        if wall and walls >= max(1, self._settings.live_streams // 2):
            return None
        stream = Stream(wall)
        self._streams.add(stream)
        self._wanted.set()
        return stream

    def close(self) -> None:
        """End all streams: the station stops."""
        self.closed = True
        self._streams.clear()

    async def events(self, stream: Stream, seen: str, alive: Callable[[], bool]) -> AsyncIterator[str]:
        """What is sent to one screen."""
        wall = stream.wall
        try:
            yield "retry: 2000\n\n"
            if seen != self.version:
                yield _event("reset", "", self.version)
                for card in self.cards():
                    yield _event("card", self.render(card, wall), self.version)
            yield _event("summary", self._summary.render(summary=self.summary()), self.version)
            while not self.closed and not stream.behind:
                try:
                    async with asyncio.timeout(1.0):
                        change = await stream.waiting.get()
                except TimeoutError:
                    if not alive():
                        yield _event("ended", "", None)
                        return
                    yield ": still here\n\n"
                    continue
                for key in change.gone:
                    yield _event("gone", key, None)
                for card in change.cards:
                    yield _event("card", self.render(card, wall), None)
                yield _event("summary", self._summary.render(summary=change.summary), change.version)
        finally:
            self._streams.discard(stream)


def _event(name: str, data: str, version: str | None) -> str:
    lines = "\n".join(f"data: {line}" for line in data.splitlines()) or "data:"
    return f"event: {name}\n" + (f"id: {version}\n" if version else "") + f"{lines}\n\n"

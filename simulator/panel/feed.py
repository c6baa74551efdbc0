"""What the panel tells its browsers: the newest value of each topic, and what was said, to each as it happens.

Values come from the world's thread, browsers live on the event loop: `set` and `tell` may be called on any thread. A
browser that does not keep up is let go; it comes again, and gets everything anew.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

BROWSERS: Final = 16
_BEHIND: Final = 400
_TOLD: Final = 300
_ALIVE_S: Final = 10.0


@dataclass(eq=False)
class Browser:
    """One page that is open."""

    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_BEHIND))
    """None ends the stream."""

    def put(self, event: str | None) -> None:
        """On the event loop only."""
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            event = None
        self.waiting.put_nowait(event)


class Feed:
    """The newest of everything, and who looks at it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: dict[str, Any] = {}
        self._told: deque[dict[str, Any]] = deque(maxlen=_TOLD)
        self._browsers: set[Browser] = set()
        self._closed = False

    def set(self, topic: str, value: Any) -> None:
        """The newest value of a topic; told on if it is another one."""
        with self._lock:
            if topic in self._topics and self._topics[topic] == value:
                return
            self._topics[topic] = value
            self._send(event(topic, value))

    def get(self, topic: str) -> Any:
        """The newest value; None if there is none."""
        with self._lock:
            return self._topics.get(topic)

    def tell(self, kind: str, text: str, at_s: float) -> None:
        """Something that was said: ``camera``, ``world``, ``step`` or ``problem``."""
        with self._lock:
            one = {"kind": kind, "text": text, "at_s": round(at_s, 1)}
            self._told.append(one)
            self._send(event("told", [one]))

    def forget(self) -> None:
        """A new world begins: nothing of the old one counts."""
        with self._lock:
            self._topics.clear()
            self._told.clear()
            self._send(event("reset", None))

    def subscribe(self, loop: asyncio.AbstractEventLoop) -> Browser | None:
        """A new browser with all that is known; None if there are too many."""
        with self._lock:
            if self._closed or len(self._browsers) >= BROWSERS:
                return None
            browser = Browser(loop)
            browser.put(event("reset", None))
            for topic, value in self._topics.items():
                browser.put(event(topic, value))
            browser.put(event("told", list(self._told)))
            self._browsers.add(browser)
            return browser

    async def events(self, browser: Browser) -> AsyncIterator[str]:
        """What is sent to one browser."""
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    async with asyncio.timeout(_ALIVE_S):
                        one = await browser.waiting.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if one is None:
                    return
                yield one
        finally:
            with self._lock:
                self._browsers.discard(browser)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            self._send(None)

    def _send(self, one: str | None) -> None:
        for browser in self._browsers:
            if not browser.loop.is_closed():
                browser.loop.call_soon_threadsafe(browser.put, one)


def event(topic: str, value: Any) -> str:
    """One server-sent event."""
    return f"event: {topic}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n"

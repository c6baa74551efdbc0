"""The run's progress as the panel hears it: the same sentences that a shift prints."""

from __future__ import annotations

import time
from typing import TextIO

from simulator.panel.feed import Feed
from simulator.progress import Progress


class Told(Progress):
    """Hands every sentence to the feed, sorted by who says it."""

    def __init__(self, feed: Feed, out: TextIO | None = None) -> None:
        super().__init__(out)
        self._feed = feed
        self._zero_s = time.monotonic()

    @property
    def terminal(self) -> bool:
        """The panel has its own live line: the page."""
        return False

    def begin(self) -> None:
        """A new world: its time begins at zero."""
        self._zero_s = time.monotonic()

    def event(self, text: str) -> None:
        """One thing that happened."""
        said = text.strip()
        kind = "world"
        if said.startswith("camera: "):
            kind = "camera"
        elif said.startswith("! "):
            kind, said = "fault", said.removeprefix("! ")
        elif said.startswith("> "):
            kind, said = "deed", said.removeprefix("> ")
        self.say(kind, said)

    def say(self, kind: str, text: str) -> None:
        """One sentence of that kind."""
        self._feed.tell(kind, text, time.monotonic() - self._zero_s)

"""How far each card is: bars on a terminal, now and then a line anywhere else."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

WIDTH: Final = 16
_STEP_PERCENT: Final = 25
"""Where there is no terminal: a line for each quarter."""


@dataclass
class CardProgress:
    """What one card's thread says of it."""

    name: str
    phase: str = "waits"
    total: int = 0
    done: int = 0
    since_s: float = 0.0
    ended: str | None = None
    """How it ended."""

    def begin(self, phase: str, total: int) -> None:
        """The next phase."""
        self.phase, self.total, self.done, self.since_s = phase, total, 0, time.monotonic()

    def tell(self, count: int) -> None:
        """So many bytes more."""
        self.done += count

    def end(self, how: str) -> None:
        self.ended = how

    def line(self, now_s: float) -> str:
        """Bar, percent, rate and the time that is left. Pure."""
        if self.ended is not None:
            return f"{self.name:<20} {self.ended}"
        if not self.total:
            return f"{self.name:<20} {self.phase}"
        share = min(1.0, self.done / self.total)
        took_s = max(now_s - self.since_s, 1e-3)
        rate = self.done / took_s
        left = f"{_clock((self.total - self.done) / rate)} left" if rate else ""
        bar = "#" * int(share * WIDTH)
        return f"{self.name:<20} {self.phase:<7} [{bar:<{WIDTH}}] {share:4.0%} {rate / 1e6:7.1f} MB/s  {left}".rstrip()


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    return f"{whole // 60}:{whole % 60:02d}"


class ProgressPage:
    """Draws the cards' lines again and again, from one thread."""

    def __init__(self, cards: Sequence[CardProgress], out: TextIO) -> None:
        self._cards, self._out = cards, out
        self._terminal = out.isatty()
        self._drawn = False
        self._told: dict[str, tuple[str, int, str | None]] = {}

    def draw(self) -> None:
        """As it is now."""
        now_s = time.monotonic()
        if self._terminal:
            if self._drawn:
                self._out.write(f"\x1b[{len(self._cards)}A")
            columns = shutil.get_terminal_size().columns - 1  # a line that wrapped would be two the next time
            self._out.writelines(f"\x1b[2K{card.line(now_s)[:columns]}\n" for card in self._cards)
            self._drawn = True
        else:
            for card in self._cards:
                quarter = 100 * card.done // card.total // _STEP_PERCENT if card.total else 0
                state = (card.phase, quarter, card.ended)
                if self._told.get(card.name) != state:
                    self._told[card.name] = state
                    self._out.write(f"{card.line(now_s)}\n")
        self._out.flush()

    def follow(self, ended: Sequence[threading.Event]) -> None:
        """Draw until all of these have come."""
        for one in ended:
            while not one.wait(0.25):
                self.draw()
        self.draw()

"""What a person sees while a shift runs: events with the elapsed time, and on a terminal one live line below them."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

_REDRAW_S: Final = 0.5


class Progress:
    """Lines to `out`. Without a terminal the live line is left out, so that a log file stays readable."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out if out is not None else sys.stdout
        self._clock = clock
        self._began_s = clock()
        self._terminal = self._out.isatty()
        self._shown = ""
        self._shown_at_s = 0.0

    @property
    def terminal(self) -> bool:
        """Whether anybody sees the live line."""
        return self._terminal

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._began_s

    def event(self, text: str) -> None:
        """One thing that happened."""
        self._clear()
        print(f"[{self.elapsed_s:6.1f} s] {text}", file=self._out, flush=True)

    def plain(self, text: str = "") -> None:
        """A line as it is."""
        self._clear()
        print(text, file=self._out, flush=True)

    def live(self, text: str) -> None:
        """Replace the live line, on a terminal only: when its words change, and twice a second."""
        now_s = self._clock()
        if not self._terminal or (self._shown.endswith(text) and now_s - self._shown_at_s < _REDRAW_S):
            return
        width = shutil.get_terminal_size().columns - 1
        line = f"[{self.elapsed_s:6.1f} s] {text}"[:width]
        if line != self._shown:
            self._out.write(f"\r\x1b[K{line}")
            self._out.flush()
            self._shown, self._shown_at_s = line, now_s

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[K")
            self._shown = ""

"""Which lines of the product a call reaches: what guides the fuzzer, on Python 3.11 by `sys.settrace`.

Tracing slows a reader down many times over, so only a sample of the runs is traced (`run.py`). Lines of libraries are
never counted, and a function whose lines were all seen is not traced any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

BASE: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = tuple(f"{BASE / room}/" for room in ("device", "dock", "evidence", "fleet", "hal", "simulator"))


class Reached:
    """Lines that were reached so far, by function."""

    def __init__(self) -> None:
        self._left: dict[CodeType, set[int]] = {}
        """Lines of each function that nothing has reached yet."""
        self.lines = 0
        self._new = 0

    def new_lines(self, run: Callable[[], object]) -> int:
        """How many lines `run` reaches that nothing had reached before. Raises what `run` raises."""
        self._new = 0
        before = sys.gettrace()
        sys.settrace(self._entered)
        try:
            run()
        finally:
            sys.settrace(before)
            self.lines += self._new
        return self._new

    def found(self) -> int:
        """New lines of the last run, also of one that raised."""
        return self._new

    def _entered(self, frame: FrameType, event: str, _argument: Any) -> Any:
        left = self._left.get(frame.f_code)
        if left is None:
            ours = frame.f_code.co_filename.startswith(ROOMS)
            left = {line for _, _, line in frame.f_code.co_lines() if line is not None} if ours else set()
            left.discard(frame.f_code.co_firstlineno)
            self._left[frame.f_code] = left
        if not left:
            return None

        def at_line(_frame: FrameType, what: str, _argument: Any) -> Any:
            if what == "line" and _frame.f_lineno in left:
                left.discard(_frame.f_lineno)
                self._new += 1
            return at_line

        return at_line

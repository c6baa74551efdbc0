"""Who works when, in virtual time: the loop and all other threads one after the other, in an order of its own.

1. Whoever is given work on another thread gets a number with it (`hold`); while numbers are out, the loop rests and the
   clock stands still.
2. Of those who have a number, the lowest works; all others wait for their turn, also if they are there earlier.
3. Who waits himself gives his number back (`release`), or lends his turn (`lent`) if he waits for others who work.
4. Should the one whose turn it is stand still for `PATIENCE_S` (real seconds), the next one works beside him: he waits
   for something that nobody has told us of. Then, and only then, it matters who is faster.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Final

PATIENCE_S: Final = 30.0
STUCK_S: Final = 120.0
"""Work that lasts so long (real seconds) is stuck: that is a defect, and it is said."""


class NothingWillHappen(RuntimeError):
    """Nobody works and no timer is set: the program would wait for ever."""


class TimeIsOver(NothingWillHappen):
    """The virtual time in which a thread slept or waited has ended."""


class Turns:
    """Safe to use from all threads; `rest` is the loop's."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._out: set[int] = set()
        """Numbers of those who work, or wait for their turn to."""
        self._lent: set[int] = set()
        self._next = 1
        self._whose = 0
        self._parked = False
        self.over = False
        """Nobody gets a turn any more."""
        self._changed_s = 0.0
        self._mine = threading.local()

    def hold(self) -> int:
        """A number for whoever gets work now."""
        with self._change:
            number = self._next
            self._next += 1
            self._out.add(number)
            return number

    def release(self) -> None:
        """Whoever calls is done, or waits for something that takes time."""
        with self._change:
            self._out.discard(self._number())
            self._mine.number = 0
            self._pass_on()

    def give_back(self, number: int) -> None:
        """A number whose work never began."""
        with self._change:
            self._out.discard(number)
            self._pass_on()

    def turn(self, number: int) -> None:
        """Wait for one's turn. Raises `TimeIsOver`."""
        with self._change:
            if self._number() in self._out:  # it has slept since, and its number is another one
                number = self._number()
            self._mine.number = number
            while not self.over and not (self._parked and self._is_turn_of(number)):
                self._change.wait(PATIENCE_S if self._parked else None)
            if self.over:
                raise TimeIsOver("virtual time is over, and with it what still waited for its turn")
            self._whose = number
            self._changed_s = time.monotonic()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Within the block others have the turn: whoever calls waits for them."""
        number = self._number()
        if number not in self._out:
            yield
            return
        with self._change:
            self._lent.add(number)
            self._pass_on()
        try:
            yield
        finally:
            with self._change:
                self._lent.discard(number)
            self.turn(number)

    def rest(self) -> None:
        """Let the others work until nobody does any more. Raises `NothingWillHappen` for one that never ends."""
        with self._change:
            if not self._out:
                return
            self._parked = True
            self._changed_s = time.monotonic()
            self._change.notify_all()
            quiet = self._change.wait_for(lambda: not self._out, STUCK_S)
            self._parked = False
        if not quiet:
            raise NothingWillHappen(f"a thread has held virtual time for {STUCK_S:g} s")

    def end(self) -> None:
        """Nothing happens any more: who waits for a turn is let go, so that the program can end."""
        with self._change:
            self.over = True
            self._change.notify_all()

    def _number(self) -> int:
        return getattr(self._mine, "number", 0)

    def _is_turn_of(self, number: int) -> bool:
        if self._whose == number or time.monotonic() - self._changed_s >= PATIENCE_S:
            return True
        waiting = self._out - self._lent
        return self._whose not in waiting and number == min(waiting, default=number)

    def _pass_on(self) -> None:
        self._whose = 0
        self._changed_s = time.monotonic()
        self._change.notify_all()

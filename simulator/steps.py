"""A scenario's steps, and what can be wrong with it: the values that reader, linter and player share. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.words import Deed, Expectation


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong, or probably is."""

    line: int
    """0: the file as a whole."""
    text: str
    """One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: wait for `state` (None: only the time), until `at_s`, then `wait_s` seconds, then act."""

    state: str | None
    wait_s: float
    deed: Deed
    text: str
    """The deed as it was written."""
    say: str
    line: int
    """Line of the step in its file."""
    expect: tuple[Expectation, ...] = ()
    """What must be true after the deed, in that order."""
    at_s: float | None = None
    """Seconds since the scenario's beginning."""
    at_end: bool = False
    """Only looked at once everything else was played."""

    since_deed: bool = False
    """What the log must say counts since the last thing that was done, not since this step."""

    @property
    def action(self) -> str:
        """One of `simulator.words.ACTIONS`, the action of an amount, ``fault`` or ``end fault``."""
        return self.deed.action

    @property
    def amount(self) -> float | None:
        """Percent for ``battery``, degrees Celsius for ``board``, and so on."""
        return self.deed.amount

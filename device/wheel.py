"""The category wheel after a recording (D.5.b, R31): each press of the function button is one category further. Pure.

It closes by itself a few seconds after the last press; without a press the recording stays uncategorised, which is
visible and blocks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device.policy import Category


@dataclass
class Wheel:
    """The wheel of one recording that has just ended."""

    recording: int
    """Its number."""
    stem: str
    categories: Sequence[Category]
    timeout_ns: int
    touched_ns: int
    """When it was opened or last pressed, CLOCK_BOOTTIME."""
    presses: int = 0
    earlier: tuple[tuple[int, str], ...] = ()
    """(number, stem) of the files from which the recording went on: the category is theirs too (R22)."""

    def press(self, now_ns: int) -> Category:
        """One category further; the one that is chosen now."""
        self.presses += 1
        self.touched_ns = now_ns
        chosen = self.chosen
        assert chosen is not None
        return chosen

    @property
    def position(self) -> int:
        """1 for the first category; 0 before any press."""
        return (self.presses - 1) % len(self.categories) + 1 if self.presses else 0

    @property
    def chosen(self) -> Category | None:
        """What the officer chose so far."""
        return self.categories[self.position - 1] if self.presses else None

    def over(self, now_ns: int) -> bool:
        """Whether nobody pressed for the whole time."""
        return now_ns - self.touched_ns >= self.timeout_ns

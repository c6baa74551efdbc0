"""Buttons and lines of the board, as a test touches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.bench.hand import Hand
from simulator.words import Deed

_OFF_S: Final = 0.5
"""How long a finger is off a button that it held, before it can press again."""


@dataclass(slots=True, repr=False, eq=False)
class Line:
    """A line of the vehicle, or the slide on the camera."""

    _hand: Hand
    _name: str
    """As a scenario has it: ``light bar``."""

    def on(self) -> None:
        """Switch it on, and leave it."""
        self._hand.act(Deed(f"{self._name} on"))

    def off(self) -> None:
        """Switch it off."""
        self._hand.act(Deed(f"{self._name} off"))


@dataclass(slots=True, repr=False, eq=False)
class RecordButton:
    """Twice starts; holding it asks to stop; once marks, and confirms a stop."""

    _hand: Hand

    def press(self) -> None:
        """Once."""
        self._hand.act(Deed("press record button once"))

    def press_twice(self) -> None:
        """Twice, fast."""
        self._hand.act(Deed("press record button twice"))

    def hold(self) -> None:
        """As long as it takes to count as held, and let go."""
        self._hand.act(Deed("hold record button"))
        self._hand.pause(_OFF_S)


@dataclass(slots=True, repr=False, eq=False)
class EmergencyButton:
    """Starts a critical recording, without a word."""

    _hand: Hand

    def press(self) -> None:
        """Once."""
        self._hand.act(Deed("press emergency button"))


@dataclass(slots=True, repr=False, eq=False)
class FunctionButton:
    """Once marks; twice is stealth; held it mutes while a recording goes on, and sleeps or wakes the camera else."""

    _hand: Hand

    def press(self) -> None:
        """Once."""
        self._hand.act(Deed("press function button once"))

    def press_twice(self) -> None:
        """Twice, fast."""
        self._hand.act(Deed("press function button twice"))

    def hold(self) -> None:
        """Press it until it counts as held, and leave the finger on it: until `release`."""
        self._hand.act(Deed("hold function button"))

    def release(self) -> None:
        """Take the finger away."""
        self._hand.act(Deed("release function button"))

    def turn(self, steps: int) -> None:
        """So many slow presses: the wheel of reasons or categories."""
        self._hand.do(f"turn the wheel by {steps}")

"""Fingers on buttons and the vehicle's relays: what drives the input pins of the simulated board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from device.policy import Profile
from simulator.agency import BOARD
from simulator.camera_end import CameraEnd

PRESS_S: Final = 0.12
"""How long a finger stays on a button."""
BETWEEN_PRESSES_S: Final = 0.15
HOLD_MARGIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Hands:
    """The officer's fingers and the vehicle's lines. Errors: those of `CameraEnd`."""

    camera: CameraEnd
    profile: Profile
    pause: Callable[[float], None]
    """Lets time pass, with open eyes."""

    @property
    def hold_s(self) -> float:
        """How long a button is held so that it counts as held."""
        return self.profile.hold_to_stop_ms / 1000 + HOLD_MARGIN_S

    def press(self, line: str, seconds: float = PRESS_S) -> None:
        """Press a button for so long, and let go."""
        self.hold(line, seconds)
        self.line(line, active=False)

    def press_twice(self, line: str) -> None:
        """Press it twice, fast."""
        self.press(line)
        self.pause(BETWEEN_PRESSES_S)
        self.press(line)

    def press_slowly(self, line: str, times: int) -> None:
        """Press it so often, each far enough from the next to count for itself."""
        for _ in range(times):
            self.press(line)
            self.pause(self.profile.double_press_ms / 1000 + HOLD_MARGIN_S)

    def hold(self, line: str, seconds: float) -> None:
        """Press a button, wait, and leave the finger on it."""
        pin = BOARD[line]
        if self.camera.level(pin.number) == pin.level(active=True):  # the finger is still there from a time cut short
            self.line(line, active=False)
            self.pause(BETWEEN_PRESSES_S)
        self.line(line, active=True)
        self.pause(seconds)

    def line(self, line: str, *, active: bool) -> None:
        """Switch a line."""
        pin = BOARD[line]
        self.camera.drive(pin.number, pin.level(active=active))

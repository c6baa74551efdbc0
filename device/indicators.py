"""What the officer sees, feels and hears, as data (field report, 2.2). Pure but for `show`.

A pattern is (channel, seconds on, seconds off, count); count None = until the next state, on/off 0 = steady on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from device.states import State
from hal.indicators import Indicators

LAMPS: Final = ("green", "red", "amber")


@dataclass(frozen=True, slots=True)
class Pattern:
    channel: str
    on_s: float = 0.0
    off_s: float = 0.0
    count: int | None = None


STATE_PATTERNS: Final[dict[State, tuple[Pattern, ...]]] = {
    State.BOOT: (Pattern("red"),),
    State.SELF_TEST: (Pattern("amber", 0.2, 0.2),),
    State.READY: (Pattern("green", 0.1, 0.9),),
    State.RECORDING: (Pattern("red", 0.5, 0.5),),
    State.DOCKED: (Pattern("amber", 1.0, 1.0),),
    State.OUT_OF_SERVICE: (Pattern("red", 0.1, 0.1), Pattern("amber")),
    State.SHUTTING_DOWN: (),
}
STARTED: Final = (Pattern("haptic", 0.15, 0.15, 2), Pattern("tone", 0.1, 0.1, 2))
"""Two short ones at the start of a recording, and again every two minutes."""
STOPPED: Final = (Pattern("haptic", 0.6, 0.1, 1), Pattern("tone", 0.6, 0.1, 1))
ALARM: Final = (Pattern("haptic", 0.1, 0.1, 5), Pattern("tone", 0.1, 0.1, 5))
"""Something is not recorded that should be: five quick ones."""
MARKED: Final = (Pattern("haptic", 0.08, 0.05, 1),)
RECORDING_REMINDER_S: Final = 120


def show_state(indicators: Indicators, state: State) -> None:
    """Set the lamps for a state."""
    wanted = STATE_PATTERNS.get(state, ())
    for lamp in LAMPS:
        if lamp in indicators.channels and all(pattern.channel != lamp for pattern in wanted):
            indicators.off(lamp)
    play(indicators, wanted)


def play(indicators: Indicators, patterns: tuple[Pattern, ...]) -> None:
    """Play patterns on the channels that this board has."""
    for pattern in patterns:
        if pattern.channel not in indicators.channels:
            continue
        if pattern.on_s:
            indicators.pulse(pattern.channel, pattern.on_s, pattern.off_s, pattern.count)
        else:
            indicators.on(pattern.channel)

"""What the officer sees, feels and hears, as data (field report, 2.2), read from `patterns.toml` beside it. Pure.

`device.signals` shows it. A state's pattern always shows; a condition's lasts as long as the condition and repeats; a
play is given once. All are drawn in docs/indicators.md.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.states import State

FILE: Final = Path(__file__).with_name("patterns.toml")
LAMPS: Final = ("green", "red", "amber", "white", "blue")
FELT_OR_HEARD: Final = ("haptic", "tone")
CHANNELS: Final = (*LAMPS, *FELT_OR_HEARD)
RECORDING_REMINDER_S: Final = 120
"""How often the camera says that it records."""


class Beat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On and off in turn."""

    on_s: Annotated[float, Meta(gt=0, le=60)]
    off_s: Annotated[float, Meta(gt=0, le=60)]
    times: Annotated[int, Meta(ge=1, le=20)] | None = None
    """How often; None = until something else is shown."""

    @property
    def lasts_s(self) -> float:
        """How long all of it takes; 0 if it has no end."""
        return (self.on_s + self.off_s) * self.times if self.times is not None else 0.0


Lamp = Literal["on", "off"] | Beat


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pattern on all channels that it uses."""

    means: str
    """What it says to the officer."""
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    every_s: Annotated[int, Meta(ge=1, le=3600)] | None = None
    """A condition repeats so often."""
    stealth: Literal["dark", "haptic"] = "dark"
    """What is left of it while the camera is dark."""
    instead_of: tuple[str, ...] = ()
    """Conditions that need not be shown beside this one."""
    green: Lamp | None = None
    red: Lamp | None = None
    amber: Lamp | None = None
    white: Lamp | None = None
    blue: Lamp | None = None
    haptic: Beat | None = None
    tone: Beat | None = None

    @property
    def lamps(self) -> dict[str, Lamp]:
        """The lamps that it uses."""
        return {name: lamp for name in LAMPS if (lamp := getattr(self, name)) is not None}

    @property
    def beats(self) -> dict[str, Beat]:
        """Vibration and tone, as far as it uses them."""
        return {name: beat for name in FELT_OR_HEARD if (beat := getattr(self, name)) is not None}

    @property
    def lasts_s(self) -> float:
        """How long vibration and tone take."""
        return max((beat.lasts_s for beat in self.beats.values()), default=0.0)


class Catalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `patterns.toml`."""

    other_lamp: dict[str, str]
    """Lamp that a board may lack -> the one that shows it then."""
    states: dict[str, Pattern]
    conditions: dict[str, Pattern]
    plays: dict[str, Pattern]


CATALOG: Final = msgspec.convert(tomllib.loads(FILE.read_text("utf-8")), Catalog)
CONDITIONS: Final = CATALOG.conditions
_states: Final = {state.value: state for state in State}
STATE_PATTERNS: Final = {_states[name]: one for name, one in CATALOG.states.items() if name in _states}

STARTED: Final = CATALOG.plays["started"]
STOPPED: Final = CATALOG.plays["stopped"]
MARKED: Final = CATALOG.plays["marked"]
CONFIRM: Final = CATALOG.plays["confirm"]
REFUSED: Final = CATALOG.plays["refused"]
ALARM: Final = CATALOG.plays["alarm"]
"""Something is not recorded that should be."""


def WHEEL(position: int) -> Pattern:  # noqa: N802 - stands beside the constants, and is used like one
    """The category wheel's step to a position from 1: as many short ones."""
    one = CATALOG.plays["wheel"]
    times = max(1, min(20, position))
    return msgspec.structs.replace(
        one, **{name: msgspec.structs.replace(beat, times=times) for name, beat in one.beats.items()}
    )

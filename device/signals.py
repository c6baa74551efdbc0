"""Shows states, conditions and plays on the indicators, several at once: who has which lamp, who vibrates first (R4).

1. A lamp shows the highest priority that names it: plays that still last, conditions, then the state.
2. Vibration and tone carry one pattern at a time. An equal or higher priority cuts the running one short; a lower one
   waits its turn, for a few seconds at most: an old answer would be taken for a new one.
3. A condition is told when it is raised and then every `every_s` seconds, with a pause between two conditions.
4. Stealth darkens everything but the vibration of what says that evidence is missing. It never changes recording.
5. A board without indicators, or with broken ones, still records (invariant 1). Loop only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from device.indicators import CATALOG, CONDITIONS, LAMPS, STATE_PATTERNS, Lamp, Pattern
from device.policy import Profile
from device.states import State
from hal.errors import HalError
from hal.indicators import Dimmable, Indicators

SECOND: Final = 1_000_000_000
PAUSE_NS: Final = SECOND
"""Between two patterns, so that four and three are not felt as seven."""
STALE_NS: Final = 3 * SECOND
"""A play that could not be given within this time is not given at all."""


def reminders_s(profile: Profile) -> dict[str, int]:
    """What the policy says about how often a condition is told."""
    return {
        name: every_s
        for name, every_s in (
            ("muted", profile.mute_alarm_s),
            ("asleep", profile.sleep_reminder_s),
            ("reactivation", profile.reactivation_reminder_s),
        )
        if every_s
    }


@dataclass(frozen=True, slots=True)
class _Waiting:
    pattern: Pattern
    since_ns: int


class Signals:
    """The indicators of one camera. `on_fault` takes (part, sentence); `clock_ns` gives CLOCK_BOOTTIME."""

    def __init__(
        self,
        indicators: Indicators | None,
        on_fault: Callable[[str, str], None],
        clock_ns: Callable[[], int],
        every_s: Mapping[str, int] | None = None,
    ) -> None:
        self._indicators = indicators
        self._fault = on_fault
        self._clock_ns = clock_ns
        self._state: State | None = None
        self._due_ns: dict[str, int] = {}
        """Active conditions -> when each is told next."""
        self._every_s: dict[str, int] = dict(every_s or {})
        """How often the policy wants conditions to be told, where it says so."""
        self._lit: list[tuple[Pattern, int]] = []
        """Plays that still have lamps, and until when."""
        self._waiting: list[_Waiting] = []
        self._playing_priority = 0
        self._busy_until_ns = 0
        self._shown: dict[str, Lamp] = {}
        self._stealth = False
        self._level = 1.0
        self._broken: set[str] = set()
        """Channels whose fault was told."""

    # --- what others say ----------------------------------------------------------------------------------------------

    def show(self, state: State) -> None:
        """Show a state; sets all lamps anew, whatever somebody else did to them."""
        self._state = state
        self._shown.clear()
        self._show_lamps()

    def play(self, pattern: Pattern) -> None:
        """Play a pattern once."""
        now_ns = self._clock_ns()
        until_s = max((one.lasts_s for one in pattern.lamps.values() if not isinstance(one, str)), default=0.0)
        if until_s:
            self._lit.append((pattern, now_ns + int(until_s * SECOND)))
            self._show_lamps()
        self._give(pattern, now_ns)

    def condition(self, name: str, on: bool, *, every_s: int | None = None) -> None:
        """Raise or clear a condition by its name in `patterns.toml`; `every_s` from the policy replaces the file's.

        Raises KeyError for a name that is not there.
        """
        if name not in CONDITIONS:
            raise KeyError(name)
        if on == (name in self._due_ns):
            return
        if not on:
            del self._due_ns[name]
        else:
            now_ns = self._clock_ns()
            if every_s is not None:
                self._every_s[name] = every_s
            self._due_ns[name] = now_ns
            self._tell_due(now_ns)
        self._show_lamps()

    @property
    def conditions(self) -> frozenset[str]:
        """Names of the conditions that are raised."""
        return frozenset(self._due_ns)

    @property
    def stealth(self) -> bool:
        """Whether the camera is dark."""
        return self._stealth

    @stealth.setter
    def stealth(self, on: bool) -> None:
        if on == self._stealth:
            return
        self._stealth = on
        if on:
            self._each_channel_off(("haptic", "tone"))
            self._busy_until_ns = 0
            self._waiting.clear()
        self._shown.clear()
        self._show_lamps()

    def dim(self, level: float) -> None:
        """Light lamps at this share of their brightness, on boards that can."""
        if level != self._level and isinstance(self._indicators, Dimmable):
            self._level = level
            board = self._indicators
            self._drive("all", lambda: board.dim(level))

    def tick(self, now_ns: int) -> None:
        """About once a second: repeat conditions, give what waits, end what has lasted."""
        lit = [one for one in self._lit if one[1] > now_ns]
        if len(lit) != len(self._lit):
            self._lit = lit
            self._show_lamps()
        self._waiting = [one for one in self._waiting if now_ns - one.since_ns <= STALE_NS]
        if self._waiting and now_ns >= self._busy_until_ns:
            best = max(self._waiting, key=lambda one: one.pattern.priority)
            self._waiting.remove(best)
            self._give(best.pattern, now_ns)
        self._tell_due(now_ns)

    def stop(self) -> None:
        """All off."""
        if self._indicators is not None:
            self._drive("all", self._indicators.stop)

    # --- lamps --------------------------------------------------------------------------------------------------------

    def _show_lamps(self) -> None:
        board = self._indicators
        if board is None:
            return
        wanted = self._wanted_lamps()
        for lamp in LAMPS:
            if lamp not in board.channels:
                continue
            how = wanted.get(lamp, "off")
            if self._shown.get(lamp) != how and self._drive(lamp, partial(_light, board, lamp, how)):
                self._shown[lamp] = how

    def _wanted_lamps(self) -> dict[str, Lamp]:
        if self._stealth:
            return {}
        layers = [STATE_PATTERNS[self._state]] if self._state in STATE_PATTERNS else []
        layers += sorted(
            [CONDITIONS[name] for name in self._told()] + [pattern for pattern, _ in self._lit],
            key=lambda pattern: pattern.priority,
        )
        wanted: dict[str, Lamp] = {}
        for layer in layers:
            wanted.update({self._lamp(name, layer): how for name, how in layer.lamps.items()})
        return wanted

    def _lamp(self, name: str, layer: Pattern) -> str:
        """The lamp that shows it on this board."""
        other = CATALOG.other_lamp.get(name, name)
        has = self._indicators.channels if self._indicators is not None else frozenset()
        return name if name in has or other in layer.lamps else other

    def _told(self) -> list[str]:
        """Active conditions but for those that another one makes superfluous."""
        hidden = {name for one in self._due_ns for name in CONDITIONS[one].instead_of}
        return [name for name in self._due_ns if name not in hidden]

    # --- vibration and tone -------------------------------------------------------------------------------------------

    def _tell_due(self, now_ns: int) -> None:
        """Tell the most important of the conditions that are due; the others wait for the next second."""
        due = [name for name in self._told() if now_ns >= self._due_ns[name] and CONDITIONS[name].beats]
        if not due:
            return
        name = max(due, key=lambda one: CONDITIONS[one].priority)
        pattern = CONDITIONS[name]
        resting = now_ns < self._busy_until_ns + PAUSE_NS
        if resting and pattern.priority <= self._playing_priority:
            return
        every_s = self._every_s.get(name, pattern.every_s)
        self._due_ns[name] = now_ns + every_s * SECOND if every_s is not None else 2**62
        self._give(pattern, now_ns)

    def _give(self, pattern: Pattern, now_ns: int) -> None:
        board = self._indicators
        beats = pattern.beats
        if self._stealth:
            beats = {"haptic": beats["haptic"]} if pattern.stealth == "haptic" and "haptic" in beats else {}
        if board is None or not beats:
            return
        if now_ns < self._busy_until_ns and pattern.priority < self._playing_priority:
            self._waiting.append(_Waiting(pattern, now_ns))
            return
        self._playing_priority = pattern.priority
        self._busy_until_ns = now_ns + int(pattern.lasts_s * SECOND)
        self._each_channel_off(tuple(name for name in ("haptic", "tone") if name not in beats))
        for channel, beat in beats.items():
            if channel in board.channels:
                self._drive(channel, partial(board.pulse, channel, beat.on_s, beat.off_s, beat.times))

    def _each_channel_off(self, channels: tuple[str, ...]) -> None:
        board = self._indicators
        for channel in channels:
            if board is not None and channel in board.channels:
                self._drive(channel, partial(board.off, channel))

    def _drive(self, channel: str, act: Callable[[], None]) -> bool:
        """Do something to the board; a broken channel is a fault once, until it works again."""
        try:
            act()
        except (HalError, OSError) as error:
            if channel not in self._broken:
                self._broken.add(channel)
                self._fault("indicators", str(error))
            return False
        self._broken.discard(channel)
        return True


def _light(board: Indicators, lamp: str, how: Lamp) -> None:
    if how == "on":
        board.on(lamp)
    elif how == "off":
        board.off(lamp)
    else:
        board.pulse(lamp, how.on_s, how.off_s, how.times)

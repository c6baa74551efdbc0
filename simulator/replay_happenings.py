"""What a replay consists of: moments on the replay's own time, as lines of a scenario. Pure.

The replay's time begins with the first entry of the log. A boot's monotonic clock says how far apart its entries are;
between two boots the world of a simulator is never off for long, so what was a night is a moment there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from evidence.log_entries import Entry
from evidence.statements import Open, moment_ns

NS: Final = 1_000_000_000
RESTART_S: Final = 1.5
"""From a cut of the power to the first entry of the next start, in the simulator."""
AFTER_LAST_S: Final = 1.5
"""The power went so long after the last thing that we know of: what is newer was not on the card yet."""
IN_ORDER_S: Final = 0.3
"""After the last entry of a camera that was switched off in order."""
LONGEST_NS: Final = 20 * 3600 * NS
"""A recording that was cut off is not longer than this."""
JUST_S: Final = 3.0
OFF_S: Final = 30.0
"""A camera that was off for longer than this is told."""
Kind = Literal["do", "expect", "remark", "wait"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the scenario."""

    at_s: float
    kind: Kind
    text: str


@dataclass
class ReplayTime:
    """Where an instant of the camera's clock lies in the replay."""

    entries: Sequence[Entry]
    base_s: dict[str, float] = field(default_factory=dict)
    """Of each boot: replay seconds of its monotonic zero."""
    cut_s: dict[str, float] = field(default_factory=dict)
    """When each boot but the last ended."""
    off_s: dict[str, float | None] = field(default_factory=dict)
    """How long the camera was then off, as far as its clocks tell."""

    def __post_init__(self) -> None:
        boots: dict[str, list[Entry]] = {}
        for one in self.entries:
            boots.setdefault(one.statement.boot, []).append(one)
        begin_s, before = 0.0, ""
        for boot, mine in boots.items():
            first_ns = min(one.statement.mono_ns for one in mine)
            if before:
                last_s = self.base_s[before] + _last_ns(boots[before], mine) / NS
                in_order = any(one.name == "shutdown" for one in boots[before])
                self.cut_s[before] = last_s + (IN_ORDER_S if in_order else AFTER_LAST_S)
                self.off_s[before] = _off_s(boots[before], mine)
                begin_s = self.cut_s[before] + RESTART_S
            self.base_s[boot], before = begin_s - first_ns / NS, boot

    def at(self, one: Entry, mono_ns: object = None) -> float:
        """Seconds of the replay: of an entry, or of an instant of the same boot that its details tell."""
        ns = mono_ns if isinstance(mono_ns, int) else one.statement.mono_ns
        return self.base_s[one.statement.boot] + ns / NS

    def just_started(self, at_s: float) -> bool:
        """Whether the camera had been started only a moment before."""
        return any(0 <= at_s - (cut_s + RESTART_S) < JUST_S for cut_s in self.cut_s.values())

    @property
    def end_s(self) -> float:
        """The last entry of all."""
        return max((self.at(one) for one in self.entries), default=0.0)


def _last_ns(boot: Sequence[Entry], after: Sequence[Entry]) -> int:
    """The newest instant of a boot that anything tells of: an entry, or the last picture of what was cut off."""
    known = max(one.statement.mono_ns for one in boot)
    for one in boot:
        if isinstance(one.statement, Open) and one.statement.stream == "recording":
            until = next((other.details.get("pictures_until") for other in after
                          if other.recording == one.recording and "pictures_until" in other.details), None)  # fmt: skip
            known = max(known, _time_of_day_ns(one, until))
    return known


def _time_of_day_ns(opened: Entry, until: object) -> int:
    """`until` (HH:MM:SS.mmm by the camera's UTC) on the monotonic clock of a boot; 0 if it is none."""
    utc = opened.statement.utc
    if utc.source == "none" or not isinstance(until, str) or len(until) != 12 or until[2] != ":":
        return 0
    day_ns = 86_400 * NS
    then_ns = moment_ns(f"1970-01-01T{until}000Z")
    began_ns = (moment_ns(utc.earliest) + moment_ns(utc.latest)) // 2
    since_ns = (then_ns - began_ns) % day_ns
    return opened.statement.mono_ns + since_ns if since_ns < LONGEST_NS else 0  # a clock that was set back meanwhile


def _off_s(before: Sequence[Entry], after: Sequence[Entry]) -> float | None:
    """By the camera's own claims of UTC; None if one of them is none."""
    last = max(before, key=lambda one: one.statement.mono_ns).statement.utc
    first = min(after, key=lambda one: one.statement.mono_ns).statement.utc
    if "none" in (last.source, first.source):
        return None
    return max(0.0, (moment_ns(first.earliest) - moment_ns(last.earliest)) / NS)

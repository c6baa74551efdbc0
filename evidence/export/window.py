"""The recording's own time, from its first picture: positions in it, UTC intervals, and the part that is exported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from evidence.export.report import recorded_between
from evidence.statements import MediaFacts, Open

_CLOCK: Final = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,9}(?:\.\d{1,9})?)")


def seconds_of(text: str) -> float:
    """Seconds, `mm:ss` or `hh:mm:ss`, with a fraction if wanted. Raises ValueError with a sentence."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time in a recording: write seconds (90), 1:30 or 0:01:30")
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def as_clock(seconds: float) -> str:
    """`h:mm:ss.s`, as players show it."""
    tenths = max(0, round(seconds * 10))
    return f"{tenths // 36_000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


@dataclass(frozen=True, slots=True)
class RecordingTime:
    """CLOCK_BOOTTIME of one recording, told from its first picture and as UTC."""

    opened: Open
    first_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.first_ns) / 10**9

    def seconds(self, at_ns: int) -> float:
        """Seconds since the first picture; negative before it."""
        return (at_ns - self.first_ns) / 10**9

    def utc(self, at_ns: int) -> tuple[str, str] | None:
        """The UTC interval of an instant, or None if nothing vouched for the camera's clock."""
        return None if self.opened.utc.source == "none" else recorded_between(self.opened, at_ns, at_ns)

    def utc_words(self, at_ns: int) -> str:
        """Its earliest UTC to the tenth of a second with what it may be off, and who says so."""
        between = self.utc(at_ns)
        if between is None:
            return "UTC not known"
        return f"{between[0][:10]} {between[0][11:21]} UTC (clock: {self.opened.utc.source})"


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a recording that was asked for, in seconds of its own time; None is its begin or end."""

    from_s: float | None = None
    to_s: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a part that ends before it begins."""
        if self.from_s is not None and self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError("--to must be later than --from")

    @property
    def whole(self) -> bool:
        return self.from_s is None and self.to_s is None

    @property
    def suffix(self) -> str:
        """What an exported part is called beside its whole."""
        if self.whole:
            return ""
        begin = "begin" if self.from_s is None else f"{self.from_s:g}s"
        return f".part-{begin}-{'end' if self.to_s is None else f'{self.to_s:g}s'}"

    def kept_words(self, time: RecordingTime | None, first_ns: int | None, end_ns: int | None) -> str | None:
        """Which part was kept, in words; None for all of it."""
        if self.whole or time is None:
            return None
        asked = f"{as_clock(self.from_s or 0)} to {as_clock(time.duration_s if self.to_s is None else self.to_s)}"
        if first_ns is None or end_ns is None:
            return f"nothing of the recording lies in {asked}"
        kept = f"{as_clock(time.seconds(first_ns))} to {as_clock(time.seconds(end_ns))}"
        return f"{kept} of {as_clock(time.duration_s)} (asked for: {asked}); fragments are kept whole, none is cut"

    def keeps(self, facts: MediaFacts, first_ns: int) -> bool:
        """Whether any of a fragment lies in the part: fragments are kept whole, never cut."""
        begin = (facts.start_ns - first_ns) / 10**9
        end = begin + facts.duration_ns / 10**9
        return (self.from_s is None or end > self.from_s) and (self.to_s is None or begin < self.to_s)

"""Upload windows: at which times of the day evidence may go over a shared or metered link."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

DAY_MINUTES = 24 * 60


def minute_of_day(now: dt.datetime) -> int:
    """Minutes since midnight, by that time's own zone."""
    return now.hour * 60 + now.minute


def is_open(windows: Sequence[str], minute: int) -> bool:
    """Whether that minute lies in one of ``HH:MM-HH:MM``; the end is not part of it, and midnight may lie within.

    No windows: always. A window whose ends are equal is the whole day.
    """
    return not windows or any(_within(*_ends(window), minute) for window in windows)


def _ends(window: str) -> tuple[int, int]:
    first, _, last = window.partition("-")
    return _minutes(first), _minutes(last)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _within(first: int, last: int, minute: int) -> bool:
    return (minute - first) % DAY_MINUTES < ((last - first) % DAY_MINUTES or DAY_MINUTES)

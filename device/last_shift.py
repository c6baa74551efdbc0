"""What the camera writes down while it runs, so that the next boot knows how this one ended (R8, R29).

`power.json` is made durable when something changed, at most once a minute, and marked at an orderly end. Whoever finds
it still `running` knows that the power went; if the battery was low by then, it ran out in the officer's shift.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.state_file import StateUnreadable, read_state, write_state

log = logging.getLogger("firsthand.power")

MAX_BYTES: Final = 4096
LOW_PERCENT: Final = 10
End = Literal["running", "shutdown", "battery_empty"]


class LastShift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is kept."""

    v: Literal[1] = 1
    end: End = "running"
    boot: Annotated[str, Meta(max_length=64)] = ""
    """Which boot of the board it was: a daemon that died with its board up has not run out of power."""
    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    level: Literal["good", "low", "critical", "empty"] = "good"
    charging: bool = False
    usual_ua: Annotated[int, Meta(ge=0, le=100_000_000)] | None = None
    """What this camera usually draws, microampere."""
    owed: bool = False
    """That the battery ran out has not been shown to an officer yet."""


def ran_out(last: LastShift, boot: str) -> bool:
    """Whether the battery ran out: the camera closed on its empty battery, or went dark with a low one.

    `boot` is the present one.
    """
    if last.end == "battery_empty":
        return True
    low = last.level in ("critical", "empty") or (last.percent is not None and last.percent <= LOW_PERCENT)
    return last.end == "running" and last.boot != boot and not last.charging and low


def load(path: Path) -> LastShift | None:
    """What the last boot left; None if there is nothing, or nothing that can be read."""
    try:
        last: LastShift | None = read_state(path, LastShift, MAX_BYTES)
    except StateUnreadable as error:
        log.error("%s: nobody knows how the last shift ended", error)
        return None
    return last


def save(path: Path, state: LastShift) -> None:
    """Make it durable; a failure only means that the next boot knows less."""
    try:
        write_state(path, state)
    except OSError as error:
        log.warning("%s: %s", path.name, error)

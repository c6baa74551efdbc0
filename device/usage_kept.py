"""The running period's numbers on the card, so that a power cut takes none of a shift's usage along (R36).

Written soon after something was counted, at most every `KEEP_EVERY_S`; gone when the period was signed. What a boot
finds here was never signed: it is signed then, as `interrupted`. Counts only: no officer, no position.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from device.state_file import StateUnreadable, read_state, write_state
from evidence import durable

log = logging.getLogger("firsthand.usage")

FILE: Final = "usage.json"
KEEP_EVERY_S: Final = 10
MAX_BYTES: Final = 64 * 1024


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the file."""

    v: Literal[1] = 1
    summary: dict[str, Any]


def load(path: Path) -> dict[str, Any] | None:
    """What a boot that was cut off had counted; None if there is nothing, or nothing that can be read."""
    try:
        kept: Kept | None = read_state(path, Kept, MAX_BYTES)
    except StateUnreadable as error:
        log.error("%s: what the last boot counted is lost", error)
        return None
    return None if kept is None else kept.summary


def save(path: Path, summary: dict[str, Any] | None) -> None:
    """Make it durable; None takes it away, its period is signed. A failure only means that the next boot knows less."""
    try:
        if summary is None:
            if path.exists():
                durable.unlink(path)
            return
        kept = Kept(summary=summary)
        if len(msgspec.json.encode(kept)) <= MAX_BYTES:
            write_state(path, kept)
    except OSError as error:
        log.warning("%s: %s", path.name, error)

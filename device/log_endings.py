"""Which recordings the camera's log begins and does not end: those whose end a crash kept out of it (R38)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Event, decode
from evidence.verify import READ_BYTES

log = logging.getLogger("firsthand.spool")

ENDINGS: Final = frozenset({"recording_closed", "recording_recovered", "recording_void"})
"""Log events that say how a recording ended."""
LOOK_BACK_BYTES: Final = 1 << 20
"""Of the log, at least: a camera that dies again and again leaves many short segments, and none of its lives may have
come to say how a recording ended that an earlier one began."""


def unended(closed: Collection[int], segments: Sequence[tuple[Path, int]], *, from_the_first: bool) -> set[int]:
    """Closed recordings that the log does not end, as far as its last segments (path and bytes, newest first) tell.

    Numbers rise, so the log behind the oldest recording that these segments begin must end all that are newer, those
    too whose beginning never came into the log. `from_the_first` says that the segments are all that there ever were.
    The last two are read, whatever their size, and those before them up to `LOOK_BACK_BYTES` in all, or until one
    begins a recording.
    """
    begun: set[int] = set()
    ended: set[int] = set()
    looked_at = 0
    for back, (path, size) in enumerate(segments):
        looked_at += size
        if back >= 2 and begun and looked_at > LOOK_BACK_BYTES:
            from_the_first = False
            break
        for event, number in logged_events(path):
            (begun if event == "recording_opened" else ended if event in ENDINGS else set()).add(number)
    oldest = 0 if from_the_first else min(begun, default=None)
    return set() if oldest is None else {number for number in closed if number >= oldest} - ended


def logged_events(path: Path) -> list[tuple[str, int]]:
    """(event, recording number) of all events about recordings in one of this camera's own log segments."""
    found: list[tuple[str, int]] = []
    splitter = Splitter()
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                for item in splitter.feed(chunk):
                    if isinstance(item, StatementBytes):
                        statement = decode(parse_signed(item.data, limit=STATEMENT_BYTES).payload)
                        if isinstance(statement, Event) and statement.recording is not None:
                            found.append((statement.event, statement.recording))
    except (OSError, EvidenceError) as error:
        log.warning("%s: %s", path.name, error)
    return found

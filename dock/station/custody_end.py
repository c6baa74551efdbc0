"""How a file of the custody ledger ends: the last entry that holds, and what a crash or a hand left behind it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence import cms
from evidence.custody_ledger import DECODER, Entry, number_of
from evidence.errors import EvidenceError, MalformedDer
from evidence.signed_chain import Place, link, messages
from evidence.torn import is_torn_at

log = logging.getLogger(__name__)
APPEND_BYTES: Final = 32 * 1024
"""The most that is written at once, if it is more than one entry: about 14 entries."""


@dataclass(frozen=True)
class End:
    """How the newest file ends."""

    number: int
    place: Place | None
    """What must follow its last entry that holds; None if it has none."""
    size: int
    """Bytes up to there."""
    rest: int
    """Bytes behind it."""
    torn: bool
    """They are what a crash leaves of one append."""


def end_of(path: Path, begin: int) -> End:
    """How one file ends, reading from the entry at `begin` on. Raises OSError.

    Only the last append can be torn, so only its bytes, and the entry before them, are checked.
    """
    last: deque[tuple[int, bytes]] = deque()
    with path.open("rb") as file:
        total = file.seek(0, 2)
        file.seek(min(begin, total))
        try:
            for one in messages(file):
                last.append(one)
                while len(last) > 2 and total - last[1][0] > APPEND_BYTES:
                    last.popleft()
        except MalformedDer:
            pass
    held = _held(path, last)
    place, size = (held[-1].next, held[-1].end) if held else (None, last[0][0] if last else 0)
    torn = is_torn_at(path, size, APPEND_BYTES)
    if not torn or (not held and size > 0):
        place, size = _newest(path, last)
        torn = is_torn_at(path, size, APPEND_BYTES)
    return End(number_of(path) or 1, place, size, total - size, torn)


def _held(path: Path, last: Sequence[tuple[int, bytes]]) -> list[Entry]:
    """The entries that hold, each behind the one before it, up to the first that does not."""
    held: list[Entry] = []
    for offset, data in last:
        try:
            held.append(link(data, offset, DECODER, held[-1].next if held else None, cms.check_signature, path.name))
        except EvidenceError as error:
            log.error("%s: the entry at byte %d does not hold: %s", path.name, offset, error)
            break
    return held


def _newest(path: Path, last: Sequence[tuple[int, bytes]]) -> tuple[Place | None, int]:
    """What follows the newest entry that holds, whatever is before it, and where it ends."""
    for offset, data in reversed(last):
        try:
            found = link(data, offset, DECODER, None, cms.check_signature, path.name)
        except EvidenceError:
            continue
        return found.next, found.end
    return None, 0

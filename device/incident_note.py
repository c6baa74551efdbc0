"""Which recordings are in progress, by camera, and to which incident they belong: so that a crash does not part them.

What a recording seals the camera cannot read again. This note, rewritten as each file is begun, tells the next boot
which of the unclosed files was whose, and the incident that they go on with (R23). What came later than the note is
known by the open words of the file itself. Without a note the incident goes on all the same, from the newest file.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from device.session import Session
from device.state_file import StateUnreadable, read_state, write_state
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Count, Name, Open, Word, decode

log = logging.getLogger("firsthand.incident")

ALONE: Final = "camera"
"""How a camera that has no channel name is called here."""
MOST_BYTES: Final = 64 * 1024


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's content."""

    incident: Name
    recordings: Annotated[dict[Word, Count], Meta(max_length=64)]
    """Number of the newest file by channel."""


class IncidentNote:
    """The note in the state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / "incident.json"
        self._note: Note | None = None

    def begun(self, session: Session) -> None:
        """A file is durable with its `open` (writer thread)."""
        before = self._note
        same = before is not None and before.incident == session.incident
        known = before.recordings if before is not None and same else {}
        self._note = note = Note(session.incident, {**known, session.channel or ALONE: session.file.number})
        try:
            write_state(self._path, note)
        except OSError as error:  # the incident goes on without it, see above
            log.warning("incident.json: %s", error)

    def read(self, unclosed: Collection[int]) -> tuple[Mapping[str | None, int], str | None]:
        """Number by channel of the recordings in progress among those that are not closed, and their incident."""
        try:
            note: Note | None = read_state(self._path, Note, MOST_BYTES)
        except StateUnreadable as error:
            log.error("%s: what was in progress goes on as a new incident", error)
            return {}, None
        if note is None:
            return {}, None
        mine = {name: number for name, number in note.recordings.items() if number in unclosed}
        if not mine:
            return {}, None
        return {None if name == ALONE else name: number for name, number in mine.items()}, note.incident


def completed(
    noted: Mapping[str | None, int], opened: Iterable[Open], channels: Sequence[str | None]
) -> dict[str | None, int]:
    """The note with what began in the instant before the crash, by the `open` of the unclosed files. Pure.

    A file that continues a noted one is of the same camera. The others of the group are of the cameras that are not
    noted yet, in the order in which the cameras are started.
    """
    found = dict(noted)
    groups = {one.group for one in opened if one.number in noted.values()} - {None}
    for one in sorted(opened, key=lambda one: one.number):
        if one.number in found.values():
            continue
        before = next((name for name, number in found.items() if number == one.continues), None)
        if one.continues is not None and one.continues in found.values():
            found[before] = one.number
        elif one.group in groups and one.continues is None:
            missing = next((name for name in channels if name not in found), None)
            if missing is not None:
                found[missing] = one.number
    return found


def opened_by(path: Path) -> Open | None:
    """The `open` that a file begins with; None if it has none. Nothing is verified: it is this camera's own file."""
    splitter = Splitter()
    try:
        with path.open("rb") as file:
            for item in splitter.feed(file.read(STATEMENT_BYTES)):
                if isinstance(item, StatementBytes):
                    first = decode(parse_signed(item.data, limit=STATEMENT_BYTES).payload)
                    return first if isinstance(first, Open) else None
    except (OSError, EvidenceError) as error:
        log.warning("%s: %s", path.name, error)
    return None

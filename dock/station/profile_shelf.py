"""Hands the agency's newest signed profile to each camera that has an older one (R7).

The station checks the signature so that a wrong file is told here and not by two hundred cameras; whether the profile
is followed is each recorder's own judgement.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from dock.station.part import Document, StationPart
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.statements import Count, Name
from evidence.trust import Trust

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)


class ProfileHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the station reads of a profile; all else is the camera's business."""

    name: Name
    version: Count


@dataclass(frozen=True, slots=True)
class OnTheShelf:
    """A signed profile that may be handed out."""

    head: ProfileHead
    document: Document


_HEAD: Final = msgspec.json.Decoder(ProfileHead)


def read_profile(path: Path, trust: Trust) -> OnTheShelf:
    """The profile, if the agency's profile role signed it. Raises `EvidenceError`, ValueError, OSError."""
    with path.open("rb") as file:
        data = file.read(SIGNED_DOCUMENT_BYTES + 1)
    if len(data) > SIGNED_DOCUMENT_BYTES:
        raise ValueError(f"larger than {SIGNED_DOCUMENT_BYTES} bytes")
    message = parse_signed(data)
    trust.check(message, role="profile")
    return OnTheShelf(_HEAD.decode(message.payload), Document("profile", data))


class ProfileShelf(StationPart):
    """The shelf. A file that is replaced is read again."""

    name = "profile_shelf"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._shelf: OnTheShelf | None = None
        self.trouble: str | None = None
        """Why there is nothing to hand out although `[desk] profile` names a file."""
        self._refused: set[tuple[str, str]] = set()

    def newest(self) -> OnTheShelf | None:
        """The profile that cameras should have (a thread)."""
        settings = self.station.config.desk
        if settings is None or settings.profile is None:
            return None
        with self._lock:
            try:
                stat = settings.profile.stat()
                seen = (stat.st_mtime_ns, stat.st_size)
                if seen != self._seen:
                    self._shelf, self._seen, self.trouble = None, seen, None
                    self._shelf = read_profile(settings.profile, self.station.trust)
            except (EvidenceError, ValueError, OSError) as error:
                told = f"desk.profile {settings.profile} is handed to nobody: {error}"
                if told != self.trouble:
                    log.error("%s", told)
                    self.trouble = told
                    self.station.tell("profile")
            return self._shelf

    def documents(self, serial: str) -> Sequence[Document]:
        shelf, bay = self.newest(), self.station.bays.look(serial)
        if shelf is None or bay is None or bay.report.status.profile_version is None:
            return ()
        status = bay.report.status
        has = max(status.profile_version or 0, status.profile_next or 0)
        if has >= shelf.head.version or (serial, shelf.document.id) in self._refused:
            return ()
        return (shelf.document,)

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        shelf = self._shelf
        version = str(shelf.head.version) if shelf is not None and shelf.document == document else "unknown"
        details = {"version": version, **({"why": error} if error is not None else {})}
        if error is not None:
            self._refused.add((serial, document.id))
            log.warning("%s refuses profile version %s: %s", serial, version, error)
        step = "profile_given" if error is None else "profile_refused"
        self.station.custody.enter(step, who=f"camera {serial}", serial=serial, sha256=document.id, details=details)
        self.station.tell("profile", serial)

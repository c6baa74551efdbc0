"""Labels that come late: category, case or CAD number, the right officer, a note, told at the dock (R5, R31, R40).

Nothing in the evidence file changes: each label is an entry of the custody ledger with the recording's close hash, and
none replaces another. `firsthand-evidence export --custody` shows them in the report, with who and when.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dock.admin_words import arguments_of
from dock.errors import BadLabel
from dock.station.hold_book import recording_of
from dock.station.part import AdminVerb, StationPart
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_receipt
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.statements import NO_HASH, Frozen, Word
from evidence.trust import Trust

log = logging.getLogger(__name__)
ALWAYS: Final = ("arrest_search", "use_of_force", "prudent", "major_incident")
"""The four categories of D.5.b, on every camera whatever its profile says."""
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class LabelArguments(Frozen, frozen=True, kw_only=True):
    """What is said of one recording; one or more of these at once."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    category: Word | None = None
    case: Text | None = None
    """The case's number."""
    cad: Text | None = None
    """The dispatch number."""
    officer: Text | None = None
    """Whose recording it is: a correction."""
    note: Text | None = None


class _Category(msgspec.Struct, frozen=True):
    name: str


class _Profile(msgspec.Struct, frozen=True):
    """What is asked of a policy profile; it says much more."""

    categories: tuple[_Category, ...] = ()


class Labels(StationPart):
    """Takes labels in."""

    name = "labels"

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"label": self._label, "labels": self._list}

    def label(self, said: LabelArguments, who: str) -> dict[str, str]:
        """Enter what is said. Raises `BadLabel`, `evidence.errors.EvidenceError`, OSError."""
        meant = recording_of(said.id)
        told = {
            "category": said.category,
            "case": said.case,
            "cad": said.cad,
            "officer": said.officer,
            "note": said.note,
        }
        given = {what: value for what, value in told.items() if value is not None}
        if not given:
            raise BadLabel("say what the label is: a category, a case or CAD number, an officer or a note")
        if said.category is not None:
            self._check_category(said.category)
        receipt = self._receipt(meant.text)
        for what, value in given.items():
            self.station.custody.enter(
                "labelled",
                who=who,
                serial=meant.serial,
                name=meant.text,
                sha256=receipt.sha256,
                details={"what": what, "value": value, "close_hash": receipt.close_hash},
            )
        self.station.tell("labelled", meant.serial)
        return given

    def of(self, name: str) -> list[dict[str, str]]:
        """All labels of one recording, oldest first. Raises `DockError`, `EvidenceError`, OSError."""
        entries = self.station.custody.find(name=recording_of(name).text, step="labelled")
        return [
            {"what": one.details.get("what", ""), "value": one.details.get("value", ""), "who": one.who, "at": one.at}
            for one in entries
        ]

    def categories(self) -> tuple[str, ...] | None:
        """What the agency's profile allows; None if no profile is known here."""
        desk = self.station.config.desk
        if desk is None or desk.profile is None:
            return None
        try:
            return (*ALWAYS, *(name for name in _categories(desk.profile, self.station.trust) if name not in ALWAYS))
        except (EvidenceError, OSError, msgspec.DecodeError, ValueError) as error:
            log.error("the categories in %s are not known: %s", desk.profile, error)
            return None

    def _check_category(self, category: str) -> None:
        known = self.categories()
        if known is not None and category not in known:
            raise BadLabel(f"{category!r} is no category of the agency's profile; there are: {', '.join(known)}")

    def _receipt(self, name: str) -> Receipt:
        """A label names the very recording, by its close hash: the station must have it."""
        data = self.station.store.receipt(name)
        if data is None:
            raise BadLabel(f"the station has no {name}: a label waits until the recording is here")
        receipt = decode_receipt(cms.parse_signed(data).payload)
        if receipt.close_hash == NO_HASH:
            raise BadLabel(f"{name} has no valid close, so no label can name it: see its receipt")
        return receipt

    def _label(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(LabelArguments, arguments)
        given = self.label(said, who)
        return {"name": recording_of(said.id).text, "labels": given, "checked": self.categories() is not None}

    def _list(self, arguments: dict[str, Any], _who: str) -> dict[str, Any]:
        said = arguments_of(LabelArguments, arguments)
        return {"labels": self.of(said.id), "categories": self.categories()}


def _categories(path: Path, trust: Trust) -> tuple[str, ...]:
    with path.open("rb") as file:
        data = file.read(SIGNED_DOCUMENT_BYTES + 1)
    message = cms.parse_signed(data)
    trust.check(message, role="profile")
    return tuple(one.name for one in msgspec.json.decode(message.payload, type=_Profile).categories)

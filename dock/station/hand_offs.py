"""What the station adds to a hand-off: its custody entries, holds, labels and proof of each file; and that it was made.

The files themselves are read beside the running station (`dock.station.hand_off_folder`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dock.admin_words import arguments_of
from dock.station.custody import Step
from dock.station.hold_book import recording_of
from dock.station.holds import Holds
from dock.station.labels import Labels
from dock.station.part import AdminVerb, StationPart
from dock.station.vault_proofs import VaultProofs
from evidence.custody_words import line, values
from evidence.statements import Count, Frozen, Hash, Name

AT_ONCE: Final = 200
_Id = Annotated[str, Meta(min_length=1, max_length=128)]


class Entry(Frozen, frozen=True, kw_only=True):
    """One entry of the custody ledger."""

    seq: Count
    step: str
    line: str
    """In plain words."""
    told: dict[str, Any]
    """For programs."""
    document: str
    """DER in base64."""


class Held(Frozen, frozen=True, kw_only=True):
    """One hold."""

    kind: str
    """`litigation`, `request` or `internal`."""
    reason: str
    """Whose order, which case."""
    who: str
    """Who put it on hold."""
    at: str
    """When, by the station's clock."""


class Said(Frozen, frozen=True, kw_only=True):
    """One label that was given at the dock."""

    what: str
    """`category`, `case`, `cad`, `officer` or `note`."""
    value: str
    """What was said."""
    who: str
    """Who said it."""
    at: str
    """When, by the station's clock."""


class Facts(Frozen, frozen=True, kw_only=True):
    """What the station knows of one recording."""

    name: Name
    held: bool
    holds: tuple[Held, ...]
    labels: tuple[Said, ...]
    entries: tuple[Entry, ...]
    proof: str | None
    """The vault holder's proof of this very file, DER in base64."""
    ledger_entries: Count
    ledger_head: Hash


class _Asked(Frozen, frozen=True, kw_only=True):
    id: _Id
    sha256: Hash


class _Made(Frozen, frozen=True, kw_only=True):
    to: Name
    manifest: Hash
    files: Annotated[tuple[tuple[_Id, Hash], ...], Meta(min_length=1, max_length=AT_ONCE)]


class HandOffs(StationPart):
    """Answers who makes a hand-off."""

    name = "hand-offs"

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"hand_off_facts": self._facts, "handed_off": self._handed_off}

    def _facts(self, arguments: dict[str, Any], _who: str) -> dict[str, Any]:
        asked = arguments_of(_Asked, arguments)
        station = self.station
        meant = recording_of(asked.id)
        holds = station.part(Holds)
        record = holds.book.look(meant)
        proof = station.part(VaultProofs).ledger.document(meant.text, asked.sha256)
        head = station.custody.head
        facts = Facts(
            name=meant.text,
            held=bool(record.holds) or holds.held(meant.text),
            holds=tuple(Held(kind=one.kind, reason=one.reason, who=one.who, at=one.at) for one in record.holds),
            labels=tuple(Said(**one) for one in station.part(Labels).of(meant.text)),
            entries=self._entries(meant.text),
            proof=base64.b64encode(proof).decode() if proof is not None else None,
            ledger_entries=head.seq,
            ledger_head=head.prev,
        )
        told: dict[str, Any] = msgspec.to_builtins(facts)
        return told

    def _entries(self, name: str) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                seq=entry.seq,
                step=entry.step,
                line=line(entry),
                told=values(entry),
                document=base64.b64encode(data).decode(),
            )
            for entry, data in self.station.custody.documents(name)
        )

    def _handed_off(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        made = arguments_of(_Made, arguments)
        steps: list[Step] = []
        for name, sha256 in made.files:
            meant = recording_of(name)
            steps.append(
                Step("handed_off", who, meant.serial, meant.text, sha256, {"to": made.to, "manifest": made.manifest})
            )
        entries = self.station.custody.enter_all(steps)
        return {"entered": [one.seq for one in entries]}

"""Exports made where the vault's key lives come into the station's custody ledger (R38, R40).

The station takes an export desk's signed word: statements of its unwrap ledger, or a signed export report. Each must be
signed by a certificate of the export role under the agency's root; a run that is entered already is not entered twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dock.admin_words import arguments_of
from dock.errors import BadArguments, BadFileName
from dock.names import original_name, parse_name
from dock.station.custody import Step
from dock.station.part import AdminVerb, StationPart
from evidence import cms
from evidence.roles import serial_of
from evidence.statements import Frozen, Hash, Name, decode_canonical
from evidence.unwrap_ledger import Unwrap

MOST: Final = 64
_UNWRAP: Final = msgspec.json.Decoder(Unwrap)
_REPORT: Final = "firsthand-export-report-1"


class _Arguments(Frozen, frozen=True, kw_only=True):
    documents: Annotated[tuple[Annotated[str, Meta(max_length=350_000)], ...], Meta(min_length=1, max_length=MOST)]
    """CMS messages (DER) in base64."""


class _Source(msgspec.Struct, frozen=True):
    name: Name
    sha256: Hash
    serial: str | None = None


class _Report(msgspec.Struct, frozen=True):
    """What is asked of an export report; it says much more."""

    format: str
    source: _Source
    part: str | None = None
    outputs: tuple[dict[str, Any], ...] = ()


class ExportsElsewhere(StationPart):
    """Takes signed words of export desks in."""

    name = "exports"

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"add_export": self._add}

    def _add(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        """All of them or none. Raises `BadArguments`, `EvidenceError`, OSError."""
        steps: list[Step] = []
        known = 0
        for document in arguments_of(_Arguments, arguments).documents:
            step = self._step(_decoded(document), who)
            if step is None:
                continue
            if self._is_known(step):
                known += 1
            else:
                steps.append(step)
        self.station.custody.enter_all(steps)
        return {"entered": [one.name for one in steps], "known": known}

    def _is_known(self, step: Step) -> bool:
        entered = self.station.custody.find(name=step.name, step="exported")
        return any(one.details.get("run") == step.details["run"] for one in entered)

    def _step(self, data: bytes, who: str) -> Step | None:
        message = cms.parse_signed(data)
        self.station.trust.check(message, role="export", at=message.signed_at)
        signer = serial_of(message.certificate) or message.certificate.subject.rfc4514_string()
        if message.payload.startswith(b'{"at":'):
            return _of_ledger(decode_canonical(message.payload, _UNWRAP), signer, who, data)
        return _of_report(message, signer, who)


def _of_ledger(statement: Unwrap, signer: str, who: str, data: bytes) -> Step | None:
    if statement.phase == "opened":
        return None
    ended = statement.phase == "end"
    details = {
        "user": statement.user,
        "verb": statement.verb,
        "objects": str(statement.count) if ended else "an unknown number of",
        "outcome": statement.outcome or "done" if ended else "never ended",
        "signed_by": signer,
        "opened_at": statement.at,
        "run": statement.run,
        "brought_by": who,
        "statement": hashlib.sha256(data).hexdigest(),
    }
    return _made(statement.file, f"export desk {signer}", None, details)


def _of_report(message: cms.SignedMessage, signer: str, who: str) -> Step:
    try:
        report = msgspec.json.decode(message.payload, type=_Report)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadArguments(f"neither a statement of an unwrap ledger nor a signed export report: {error}") from error
    if report.format != _REPORT:
        raise BadArguments(f"a report of the form {report.format[:60]!r} is not known here")
    details = {
        "user": "somebody",
        "verb": "export",
        "objects": "its",
        "outcome": "done",
        "signed_by": signer,
        "opened_at": f"{message.signed_at:%Y-%m-%dT%H:%M:%S}Z",
        "run": hashlib.sha256(message.payload).hexdigest(),
        "outputs": ", ".join(str(one.get("name")) for one in report.outputs),
        "brought_by": who,
        **({"part": report.part} if report.part else {}),
    }
    return _made(report.source.name, f"export desk {signer}", report.source.sha256, details)


def _made(file: str, who: str, sha256: str | None, details: dict[str, str]) -> Step:
    try:
        name = parse_name(original_name(file))
    except BadFileName as error:
        raise BadArguments(f"the export is of {file[:80]!r}, which is no evidence file's own name") from error
    return Step("exported", who, name.serial, name.text, sha256, details)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadArguments("a document is not base64") from error

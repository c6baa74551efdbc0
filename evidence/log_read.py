"""Read evidence files for the timeline: each is verified, only what holds is told, a key opens the details."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from evidence.audit_read import paths_of
from evidence.cms import SIGNED_DATA
from evidence.errors import BadKey, EvidenceError, NotEvidence
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.log_entries import Entry, at_utc
from evidence.statements import AnyStatement, Close, Event, Open, Sealed
from evidence.trust import Trust
from evidence.verify import READ_BYTES, Report, StreamVerifier, file_name

MOST_ENTRIES: Final = 2_000_000
_SNIFF_BYTES: Final = 4096
_NOTED: Final = frozenset({"opening", "closing"})


@dataclass(slots=True)
class Found:
    """All that some files tell."""

    entries: list[Entry] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)
    """By the name that the file has on its camera."""
    findings: list[str] = field(default_factory=list)
    """What does not verify, or cannot be opened."""
    ignored: int = 0
    """Files that are no evidence, or copies."""

    @property
    def serials(self) -> list[str]:
        """The cameras whose files these are."""
        return sorted({one.statement.serial for one in self.entries})

    @property
    def missing_segments(self) -> list[int]:
        """Numbers of log segments between the first and the last that are here, and are not."""
        here = {one.statement.number for one in self.entries if one.statement.stream == "log"}
        return [number for number in range(min(here, default=0), max(here, default=0)) if number not in here]

    def camera(self, serial: str | None) -> str:
        """The one camera that is meant. Raises `BadKey` or `NotEvidence` with one sentence."""
        serials = self.serials
        if not serials:
            raise NotEvidence("; ".join(self.findings) or "these files hold no evidence: no statement can be read")
        if serial is None and len(serials) > 1:
            raise BadKey(f"the files are of {len(serials)} cameras: name one with --camera ({', '.join(serials)})")
        if serial is not None and serial not in serials:
            raise BadKey(f"nothing here is of camera {serial}; there are {', '.join(serials)}")
        return serial or serials[0]


def read(places: Sequence[Path], trust: Trust, vault: Vault | None, now: dt.datetime) -> Found:
    """Verify and read all evidence files under some places. Raises `NotEvidence` if one cannot be read."""
    found = Found()
    for path in dict.fromkeys(paths_of(places)):
        try:
            with path.open("rb") as file:
                if SIGNED_DATA not in file.read(_SNIFF_BYTES):
                    found.ignored += 1
                    continue
                file.seek(0)
                _read_file(path, file, trust, vault, now, found)
        except OSError as error:
            raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
        if len(found.entries) > MOST_ENTRIES:
            raise NotEvidence(f"over {MOST_ENTRIES} entries: give fewer files")
    return found


def _read_file(path: Path, file: BinaryIO, trust: Trust, vault: Vault | None, now: dt.datetime, found: Found) -> None:
    held: dict[str, AnyStatement] = {}
    verifier = StreamVerifier(trust, path.name, now, lambda statement, digest: held.update({digest: statement}))
    while chunk := file.read(READ_BYTES):
        verifier.feed(chunk)
    report = verifier.finish()
    opened = report.opened
    if opened is None:
        found.ignored += 1
        if path.name.endswith(".evidence"):
            found.findings.append(f"{path.name}: {'; '.join(report.findings)}")
        return
    name = file_name(opened.serial, opened.stream, opened.number)
    known = found.reports.get(name)
    if known is not None:
        found.ignored += 1
        if known.sha256 != report.sha256:
            found.findings.append(f"{path}: another file of the name {name} was read before: see `audit`")
        return
    found.reports[name] = report
    found.findings += [f"{name}: {finding}" for finding in report.findings]
    file.seek(0)
    found.entries += entries_of(file, name, held, vault, found.findings)


def entries_of(
    file: BinaryIO, name: str, held: dict[str, AnyStatement], vault: Vault | None, findings: list[str]
) -> list[Entry]:
    """What holds, each with the details that stand behind it."""
    entries: dict[int, Entry] = {}
    opened: Open | None = None
    span: dict[str, Any] = {}
    notes: dict[str, dict[str, Any]] = {}
    for item in walk(file):
        if isinstance(item, StatementItem):
            statement = held.get(item.sha256)
            if statement is None:
                break  # the first rule that is broken: nothing behind it is told
            opened = statement if isinstance(statement, Open) else opened
            if isinstance(statement, Sealed):
                _note_span(statement, span)
            else:
                entries[statement.seq] = Entry(statement, name, dict(span) if isinstance(statement, Close) else {})
        elif isinstance(item, ObjectItem) and vault is not None and opened is not None:
            if item.announced is None or item.announced.object != "metadata":
                continue
            try:
                vault.check_recipient(opened)
                details = read_metadata(vault.plaintext(file, item))
            except EvidenceError as error:
                findings.append(f"{name}: item {item.number:06d}: {error}")
                continue
            _attach(details, entries, notes)
    return [_noted(one, notes) for one in entries.values()]


def _note_span(statement: Sealed, span: dict[str, Any]) -> None:
    """From when until when there are pictures: what a judge asks of a recording that was cut off."""
    media = statement.media
    if media is not None:
        span.setdefault("pictures_from", at_utc(statement, media.start_ns))
        span["pictures_until"] = at_utc(statement, media.start_ns + media.duration_ns)


def _attach(details: dict[str, Any], entries: dict[int, Entry], notes: dict[str, dict[str, Any]]) -> None:
    """An event's details name its `seq`; opening and closing metadata belong to `open` and `close`."""
    part, seq = details.get("part"), details.get("seq")
    if isinstance(part, str) and part in _NOTED:
        notes[part] = details
    elif isinstance(seq, int) and seq in entries and isinstance(entries[seq].statement, Event):
        entries[seq] = Entry(entries[seq].statement, entries[seq].file, details)


def _noted(one: Entry, notes: dict[str, dict[str, Any]]) -> Entry:
    part = "opening" if isinstance(one.statement, Open) else "closing" if isinstance(one.statement, Close) else None
    if part is None or part not in notes:
        return one
    return Entry(one.statement, one.file, {**notes[part], **one.details})

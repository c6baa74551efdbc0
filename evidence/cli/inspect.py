"""`inspect`: what stands in a file, item by item, whole or damaged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from evidence.cli.arguments import OK, Parser, Verbs, add_verb
from evidence.cli.terminal import plain
from evidence.cli.vault import add_vault_options, opened_vault
from evidence.errors import EvidenceError, NotEvidence
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import AnyItem, ObjectItem, Rest, StatementItem, walk
from evidence.roles import role_of, serial_of
from evidence.statements import (
    AnyStatement,
    ClockStep,
    Close,
    Event,
    Gap,
    MediaFacts,
    Open,
    Recovered,
    Sealed,
    larger_offset,
)

_TEXT = """\
Show what stands in an evidence file, one line an item, with the numbers that `verify` and `unpack` use. With the
vault's certificate and key the encrypted metadata (officer, triggers, labels) is shown too. A damaged file is shown as
far as it can be read. Nothing is judged here: whether a file is genuine is what `verify` says."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "inspect",
        run,
        summary="show what stands in a file, item by item",
        text=_TEXT,
        example="inspect BC-0042-000017.evidence --vault-cert vault.pem --vault-key vault.key",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    add_vault_options(parser, required=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, one for each item")


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 10**9:.3f} s"


def _offset(media: MediaFacts) -> str:
    return "" if media.sound_offset_us is None else f" ({media.sound_offset_us / 1000:+.1f} ms off)"


def _facts(statement: AnyStatement) -> str:
    """The key facts of a statement in a few words."""
    match statement:
        case Open():
            sources = ", ".join(f"{one.role} {one.driver} ({one.kind})" for one in statement.sources)
            return (
                f"{statement.serial} {statement.stream} {statement.number}; {statement.camera.model} "
                f"{statement.camera.firmware}; {sources}; key level {statement.key_level}; profile "
                f"{statement.profile.name} {statement.profile.version}; {statement.upload_class}/"
                f"{statement.retention_class}{', hold' if statement.hold else ''}"
            )
        case Sealed(media=media):
            if media is None:
                return "announces the next object"
            return (
                f"from {_seconds(media.start_ns)} for {_seconds(media.duration_ns)}, {media.frames} frames from "
                f"{media.first_frame}, {media.sound_frames} sound frames"
                f"{_offset(media)}, {media.gps_fixes} GPS fixes"
            )
        case Event():
            parts = (statement.event, statement.word, statement.recording and f"recording {statement.recording}")
            return " ".join(str(part) for part in (*parts, statement.file and statement.file.name) if part)
        case Gap():
            return f"{statement.cause}, {_seconds(statement.end_ns - statement.start_ns)}, {statement.frames} frames"
        case ClockStep():
            return f"{statement.cause}: {statement.before.earliest} to {statement.after.earliest}"
        case Recovered():
            lost = "".join(f", {one.object} object {one.sha256[:16]} lost" for one in statement.lost)
            return f"{statement.cut_bytes} bytes cut{lost}, {statement.orphans} orphan bytes"
        case Close():
            return (
                f"{statement.reason}; {statement.statements} statements, {statement.objects} objects, "
                f"{statement.frames} frames"
            )


def _signed_by(item: StatementItem) -> str:
    if item.message is None:
        return ""
    certificate = item.message.certificate
    return f"signed by {serial_of(certificate)}, {role_of(certificate) or 'no'} role"


class Inspection:
    """Describes the items of one file in order."""

    def __init__(self, file: BinaryIO, vault: Vault | None) -> None:
        self._file, self._vault = file, vault
        self._signer = ""
        self.sound_offset_us: int | None = None
        """The largest of all media objects, either way."""
        self.statements = 0

    def metadata(self, item: AnyItem) -> dict[str, Any] | str | None:
        """Decrypted metadata; a sentence if it cannot be opened; None for what is no metadata."""
        if self._vault is None or not isinstance(item, ObjectItem):
            return None
        if item.announced is None or item.announced.object != "metadata":
            return None
        try:
            return read_metadata(self._vault.plaintext(self._file, item))
        except EvidenceError as error:
            return str(error)

    def row(self, item: AnyItem) -> tuple[str, str, str, str]:
        """(kind, object, time, facts) of one item."""
        if isinstance(item, Rest):
            return "REST", "", "", f"from byte {item.offset} on there is no whole message: {item.problem}"
        if isinstance(item, ObjectItem):
            if item.announced is None:
                return "object", "ORPHAN", "", "the statement before it does not announce this object"
            return "object", item.announced.object, "", f"SHA-256 {item.sha256[:16]}…"
        statement = item.statement
        if statement is None:
            return "UNREADABLE", "", "", str(item.problem)
        self.statements += 1
        if isinstance(statement, Sealed) and statement.media is not None:
            self.sound_offset_us = larger_offset(self.sound_offset_us, statement.media.sound_offset_us)
        facts, signer = _facts(statement), _signed_by(item)
        if signer != self._signer:
            facts, self._signer = f"{facts}; {signer}", signer
        kind_of_object = statement.object if isinstance(statement, Sealed) else ""
        return statement.kind, kind_of_object, statement.utc.earliest[:23], facts


def _text(inspection: Inspection, items: Iterator[AnyItem]) -> None:
    print(f"{'item':>6}  {'kind':<10} {'object':<8} {'bytes':>9}  {'UTC (as claimed)':<23}  facts")
    for item in items:
        kind, kind_of_object, when, facts = inspection.row(item)
        print(f"{item.number:06d}  {kind:<10} {kind_of_object:<8} {item.size:>9}  {when:<23}  {plain(facts)}")
        metadata = inspection.metadata(item)
        if isinstance(metadata, str):
            print(f"{'':8}! {plain(metadata)}")
        elif metadata is not None:
            for name, value in metadata.items():
                print(f"{'':8}| {plain(name)}: {plain(json.dumps(value, ensure_ascii=False))}")


def _json(inspection: Inspection, items: Iterator[AnyItem]) -> None:
    for item in items:
        kind, kind_of_object, _, facts = inspection.row(item)
        values: dict[str, Any] = {"item": item.number, "offset": item.offset, "bytes": item.size, "kind": kind.lower()}
        if kind_of_object:
            values["object"] = kind_of_object.lower()
        if isinstance(item, StatementItem) and item.statement is not None:
            values |= {"sha256": item.sha256, "statement": msgspec.to_builtins(item.statement)}
        elif isinstance(item, ObjectItem):
            values["sha256"] = item.sha256
        else:
            values["problem"] = facts
        metadata = inspection.metadata(item)
        if metadata is not None:
            values["problem" if isinstance(metadata, str) else "metadata"] = metadata
        print(json.dumps(values))


def run(args: argparse.Namespace) -> int:
    """0 if there was a statement to show, 2 if not."""
    with opened_vault(args, "inspect") as vault:
        return _run(args, vault)


def _run(args: argparse.Namespace, vault: Vault | None) -> int:
    try:
        with args.file.open("rb") as file:
            inspection = Inspection(file, vault)
            (_json if args.json else _text)(inspection, walk(file))
            total = file.seek(0, 2)
    except BrokenPipeError:
        raise  # our output's reader has gone; the file is fine
    except OSError as error:
        raise NotEvidence(f"cannot read {args.file}: {error.strerror}") from error
    if inspection.statements:
        if not args.json:
            if inspection.sound_offset_us is not None:
                print(f"sound plays off its picture by {inspection.sound_offset_us / 1000:+.1f} ms at most (+: early)")
            print(f"{plain(args.file)}: not judged here, see `firsthand-evidence verify`")
        return OK
    raise NotEvidence(f"{args.file} " + ("holds no evidence: no statement can be read" if total else "is empty"))

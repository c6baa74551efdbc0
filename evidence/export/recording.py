"""Export of one evidence file: decrypt, check every commitment, write MP4, GPX and JSON report.

The file was verified just before. It is read a second time here, so its SHA-256 must come out the same, and each
object's must be the one that its statement announced: what is exported is what was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from evidence.durable import AppendFile, rename, replace, sync_directory
from evidence.errors import EvidenceError, MediaError, NotEvidence
from evidence.export import report as told
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.gpx import GpxTrack
from evidence.export.items import AnyItem, ObjectItem, Rest, StatementItem, walk
from evidence.export.mp4 import Counted, ProgressiveMp4
from evidence.gpmf import parse_gps_sample
from evidence.statements import MediaFacts, Open, Sealed
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier


@dataclass(slots=True)
class Contents:
    """What was found while exporting."""

    statements: list[dict[str, Any]] = field(default_factory=list)
    """All but the `sealed` ones."""
    metadata: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    sound_frames: int = 0
    gps_points: int = 0
    discrepancies: list[str] = field(default_factory=list)
    """Where content and statements disagree, or what could not be read (only with force)."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that were written, and the report as values."""

    paths: tuple[Path, ...]
    values: dict[str, Any]
    contents: Contents


class RecordingExport:
    """Exports one verified file into a directory; nothing has its final name before all is complete."""

    def __init__(
        self, path: Path, verifier: StreamVerifier, verdict: Report, trust: Trust, vault: Vault, directory: Path
    ) -> None:
        self.path, self.trust, self.vault, self.directory = path, trust, vault, directory
        self._verifier, self._verdict = verifier, verdict
        self.stem = path.stem if verdict.valid else f"{path.stem}.NOT-VALID"
        """Begins the name of every output; a file that does not verify is labelled in it."""
        label = "" if verdict.valid else "NOT VALID EVIDENCE; "
        label += "SIMULATED, not evidence; " if trust.simulated else ""
        self._comment = f"{label}exported from {path.name}, SHA-256 {verdict.sha256}"
        self._contents = Contents()
        self._mp4: ProgressiveMp4 | None = None
        self._gpx: GpxTrack | None = None
        self._end_ns: int | None = None

    def outputs(self) -> tuple[Path, ...]:
        """The final paths: MP4, GPX, JSON."""
        return tuple(self.directory / f"{self.stem}.{kind}" for kind in ("mp4", "gpx", "json"))

    def _temporary(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.tmp")

    def run(self, *, tolerate: bool = False, on_bytes: Callable[[int], None] | None = None) -> Exported:
        """Write all outputs. With `tolerate`, objects that cannot be read are listed and left out.

        Raises `EvidenceError` (nothing is left behind then), OSError.
        """
        mp4, gpx, json = self.outputs()
        temporaries = (self._temporary(mp4), self._temporary(gpx))
        try:
            for temporary in temporaries:  # decrypted evidence is not for everyone on this machine
                temporary.touch(mode=0o640)
            with self.path.open("rb") as file, temporaries[1].open("w", encoding="utf-8") as points:
                self._gpx = GpxTrack(points, _printable(self.stem), _printable(self._comment))
                self._read(file, temporaries[0], tolerate, on_bytes)
                self._gpx.finish()
            if self._mp4 is not None:
                self._mp4.close()
            self._check_reading(tolerate)
            written = self._complete(mp4, gpx)
            for path in written:
                _make_durable(self._temporary(path))
                rename(self._temporary(path), path)
        except BaseException:
            if self._mp4 is not None:
                self._mp4.abandon()
            raise
        finally:
            for temporary in temporaries:
                temporary.unlink(missing_ok=True)
        values = self._values(written)
        replace(json, msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n")
        return Exported((*written, json), values, self._contents)

    def _complete(self, mp4: Path, gpx: Path) -> list[Path]:
        """Which outputs there is something to say in: a device log has neither pictures nor positions."""
        if self._verdict.opened is not None and self._verdict.opened.stream == "log":
            return []
        return [mp4, gpx] if self._mp4 is not None and self._mp4.samples else [gpx]

    def _read(self, file: BinaryIO, mp4: Path, tolerate: bool, on_bytes: Callable[[int], None] | None) -> None:
        for item in walk(file, on_bytes):
            try:
                self._take(item, file, mp4)
            except EvidenceError as error:
                if not tolerate:
                    raise
                self._contents.discrepancies.append(f"left out, item {item.number:06d}: {error}")

    def _take(self, item: AnyItem, file: BinaryIO, mp4: Path) -> None:
        contents = self._contents
        if isinstance(item, Rest):
            raise NotEvidence(f"the bytes from {item.offset} on are no evidence: {item.problem}")
        if isinstance(item, StatementItem):
            if item.statement is None:
                raise NotEvidence(f"a statement cannot be read: {item.problem}")
            if not isinstance(item.statement, Sealed):
                values: dict[str, Any] = msgspec.to_builtins(item.statement)
                contents.statements.append({"item": item.number, "sha256": item.sha256} | values)
            return
        self._take_object(item, self.vault.plaintext(file, item), mp4)

    def _take_object(self, item: ObjectItem, data: bytes, mp4: Path) -> None:
        assert item.announced is not None  # plaintext() refuses anything else
        kind = item.announced.object
        self._contents.objects[kind] = self._contents.objects.get(kind, 0) + 1
        if kind == "metadata":
            self._contents.metadata.append({"item": item.number} | read_metadata(data))
        elif kind == "init":
            self._mp4 = ProgressiveMp4(mp4, data, self._comment, self._creation_time())
        elif self._mp4 is None:
            raise MediaError("a media object stands before the init object")
        else:
            self._take_media(item, item.announced.media, self._mp4.add(data))

    def _creation_time(self) -> str | None:
        opened, span = self._verdict.opened, told.media_span(self._verifier.chain)
        if opened is None or span is None or opened.utc.source == "none":
            return None
        return told.recorded_between(opened, *span)[0]

    def _take_media(self, item: ObjectItem, facts: MediaFacts | None, counted: Counted) -> None:
        assert self._gpx is not None
        if facts is not None and self._end_ns is not None and facts.start_ns > self._end_ns + 10**9:
            self._gpx.interrupt()
        self._end_ns = facts.start_ns + facts.duration_ns if facts is not None else self._end_ns
        points = 0
        for payload in counted.gps:
            try:
                fixes = parse_gps_sample(payload)[0]
            except MediaError as error:
                self._contents.discrepancies.append(f"item {item.number:06d}: a GPS sample cannot be read: {error}")
                continue
            self._gpx.add(fixes)
            points += len(fixes)
        self._contents.frames += counted.frames
        self._contents.sound_frames += counted.sound_frames
        self._contents.gps_points += points
        found = (counted.frames, counted.sound_frames, points)
        if facts is not None and found != (facts.frames, facts.sound_frames, facts.gps_fixes):
            self._contents.discrepancies.append(
                f"item {item.number:06d} holds {found[0]} frames, {found[1]} sound frames and {found[2]} GPS fixes, "
                f"its statement says {facts.frames}, {facts.sound_frames} and {facts.gps_fixes}"
            )

    def _check_reading(self, tolerate: bool) -> None:
        with self.path.open("rb") as file:
            if not tolerate and hashlib.file_digest(file, "sha256").hexdigest() != self._verdict.sha256:
                raise NotEvidence("the file changed while it was exported: export it again from a quiet copy")

    def _values(self, written: list[Path]) -> dict[str, Any]:
        contents, verdict = self._contents, self._verdict
        if not verdict.valid:
            contents.discrepancies.append(
                f"unproven: only {verdict.frames} of the {contents.frames} exported frames stand before the finding"
            )
        opened: Open | None = verdict.opened
        return {
            "format": "firsthand-export-report-1",
            "source": told.verdict_values(self.path.name, verdict, self._verifier.chain),
            **told.simulated(verdict, self.trust.root, self.trust.simulated),
            "camera": msgspec.to_builtins(opened.camera) if opened is not None else None,
            "sources": msgspec.to_builtins(opened.sources) if opened is not None else [],
            "profile": msgspec.to_builtins(opened.profile) if opened is not None else None,
            "close_reason": verdict.closed.reason if verdict.closed is not None else None,
            "triggers": told.triggers_of(contents.metadata),
            "metadata": contents.metadata,
            "statements": contents.statements,
            "objects": contents.objects,
            "exported": {
                "frames": contents.frames,
                "sound_frames": contents.sound_frames,
                "gps_points": contents.gps_points,
                "re_encoded": False,
                "discrepancies": contents.discrepancies,
            },
            "outputs": [told.output_facts(path) for path in written],
        }


def _make_durable(path: Path) -> None:
    """Sync a finished temporary file, so that its new name never stands for less than its bytes."""
    with AppendFile.reopen(path) as file:
        file.append(())
    sync_directory(path.parent)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)

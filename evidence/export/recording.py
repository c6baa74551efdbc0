"""Export of one evidence file: decrypt, check every commitment, write MP4, GPX, and a report as HTML and JSON.

The file was verified just before. It is read a second time here, so its SHA-256 must come out the same, each object's
must be the one that its statement announced, and its content what that committed to: exported is what was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from evidence.corrections import Found
from evidence.durable import AppendFile, rename, replace, sync_directory
from evidence.errors import EvidenceError, MediaError, NotEvidence
from evidence.export import captions
from evidence.export import content_credentials as c2pa
from evidence.export import report as told
from evidence.export.ahead import Ahead, HashedReader
from evidence.export.chapters import chapters
from evidence.export.clip import Lead
from evidence.export.contents import Contents
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.gpx import GpxTrack
from evidence.export.happenings import happenings
from evidence.export.items import AnyItem, ObjectItem, Rest, StatementItem, walk
from evidence.export.mp4 import Counted, ProgressiveMp4
from evidence.export.page import render
from evidence.export.thumbnails import Thumbnail, evenly, thumbnails
from evidence.export.values import ExportFacts, report_values
from evidence.export.window import RecordingTime, Window
from evidence.gpmf import GpsPoint, parse_gps_sample
from evidence.keys import Signer
from evidence.statements import MediaFacts, Sealed
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that were written, and the report as values."""

    paths: tuple[Path, ...]
    values: dict[str, Any]
    contents: Contents


class RecordingExport:
    """Exports one verified file into a directory; nothing has its final name before all is complete."""

    def __init__(
        self,
        path: Path,
        verifier: StreamVerifier,
        verdict: Report,
        trust: Trust,
        vault: Vault,
        directory: Path,
        *,
        window: Window | None = None,
        signer: Signer | None = None,
        captioned: bool = True,
        corrections: Found | None = None,
        appended: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """With a `signer` of the export role that is fit for it, the MP4 is signed as C2PA demands."""
        self.path, self.trust, self.vault, self.directory = path, trust, vault, directory
        self.window, self._signer, self._captioned = window or Window(), signer, captioned
        self._verifier, self._verdict, self._corrections = verifier, verdict, corrections
        self._appended = appended
        self.stem = path.stem + self.window.suffix + ("" if verdict.valid else ".NOT-VALID")
        """Begins the name of every output; a part, and a file that does not verify, are labelled in it."""
        self.label = told.label(verdict, trust)
        self._comment = f"{self.label + '; ' if self.label else ''}exported from {path.name}, SHA-256 {verdict.sha256}"
        self._contents = Contents()
        self._mp4: ProgressiveMp4 | None = None
        self._gpx: GpxTrack | None = None
        self._lead = Lead()
        span = told.media_span(verifier.chain)
        self._time = RecordingTime(verdict.opened, *span) if verdict.opened is not None and span is not None else None

    @property
    def _is_log(self) -> bool:
        return self._verdict.opened is not None and self._verdict.opened.stream == "log"

    def outputs(self) -> tuple[Path, ...]:
        """The final paths: MP4, GPX, HTML, JSON."""
        return tuple(self.directory / f"{self.stem}.{kind}" for kind in ("mp4", "gpx", "html", "json"))

    def _temporary(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.tmp")

    def run(self, *, tolerate: bool = False, on_bytes: Callable[[int], None] | None = None) -> Exported:
        """Write all outputs. With `tolerate`, objects that cannot be read are listed and left out.

        Raises `EvidenceError` (nothing is left behind then), OSError.
        """
        mp4, gpx, html, json = self.outputs()
        credentials, stills = "", list[Thumbnail]()
        temporaries = [self._temporary(one) for one in (mp4, gpx, mp4.with_suffix(".signed"))]
        try:
            for temporary in temporaries[:2]:  # decrypted evidence is not for everyone on this machine
                temporary.touch(mode=0o640)
            with self.path.open("rb") as file, temporaries[1].open("w", encoding="utf-8") as points:
                self._gpx = GpxTrack(points, _printable(self.stem), _printable(self._comment))
                self._read(file, temporaries[0], tolerate, on_bytes)
                self._gpx.finish()
            self._finish_mp4()
            written = self._complete(mp4, gpx)
            if mp4 in written:
                stills = thumbnails(temporaries[0], evenly(self._mp4.end_s if self._mp4 is not None else 0.0))
                credentials = self._sign_mp4(temporaries[0], temporaries[2])
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
        desk = self._signer.certificate.subject.rfc4514_string() if self._signer is not None else None
        facts = ExportFacts(
            self.path,
            self._verdict,
            self._verifier,
            self.trust,
            self.window,
            self.label,
            credentials,
            self.stem,
            desk,
            self._corrections,
            self._appended,
        )
        values = report_values(facts, self._contents, written)
        if not self._is_log:
            replace(html, render(values, self._contents, stills).encode())
            written.append(html)
            values["outputs"].append(told.output_facts(html))
        replace(json, msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n")
        return Exported((*written, json), values, self._contents)

    def _complete(self, mp4: Path, gpx: Path) -> list[Path]:
        """Which outputs there is something to say in: a device log has neither pictures nor positions."""
        if self._is_log:
            return []
        return [mp4, gpx] if self._mp4 is not None and self._mp4.samples else [gpx]

    def _finish_mp4(self) -> None:
        if self._mp4 is None:
            return
        contents = self._contents
        found = happenings(contents.statements, contents.metadata, told.triggers_of(contents.metadata))
        if self._mp4.samples:
            self._mp4.set_chapters(chapters(found, contents, self._mp4.end_s, clipped=not self.window.whole))
        self._mp4.close()

    def _sign_mp4(self, mp4: Path, signed: Path) -> str:
        """C2PA over the finished MP4, as the last step. Empty when done, else why not."""
        if self._signer is None:
            return "no export desk's certificate was given"
        try:
            c2pa.check_possible(self._signer)
        except c2pa.NotPossible as error:
            return str(error)
        verdict, contents = self._verdict, self._contents
        kept = self.window.kept_words(self._time, contents.first_ns, contents.end_ns)
        source = c2pa.SourceFacts(
            self.path.name, verdict.bytes, verdict.sha256, verdict.close_hash, self.path.stem, self.label, kept
        )
        c2pa.sign_mp4(mp4, signed, self._signer, source, f"{self.stem}.mp4")
        rename(signed, mp4)
        return ""

    def _read(self, file: BinaryIO, mp4: Path, tolerate: bool, on_bytes: Callable[[int], None] | None) -> None:
        hashed = HashedReader(file)
        with Ahead(walk(hashed, on_bytes)) as items:  # type: ignore[arg-type]  # it reads, and asks for the descriptor
            for item in items:
                try:
                    self._take(item, file, mp4)
                except EvidenceError as error:
                    if not tolerate:
                        raise
                    self._contents.discrepancies.append(f"left out, item {item.number:06d}: {error}")
        if not tolerate and hashed.digest.hexdigest() != self._verdict.sha256:
            raise NotEvidence("the file changed while it was exported: export it again from a quiet copy")

    def _take(self, item: AnyItem, file: BinaryIO, mp4: Path) -> None:
        contents = self._contents
        if isinstance(item, Rest):
            raise NotEvidence(f"the bytes from {item.offset} on are no evidence: {item.problem}")
        if isinstance(item, StatementItem):
            if item.statement is None:
                raise NotEvidence(f"a statement cannot be read: {item.problem}")
            if not isinstance(item.statement, Sealed):
                place = {"item": item.number, "offset": item.offset, "bytes": item.size, "sha256": item.sha256}
                values: dict[str, Any] = msgspec.to_builtins(item.statement)
                contents.statements.append(place | values)
            return
        facts = item.announced.media if item.announced is not None else None
        if facts is not None and self._time is not None and not self.window.keeps(facts, self._time.first_ns):
            contents.fragments_left_out += 1
            self._lead.pass_by(item)
            return
        data = self.vault.plaintext(file, item, hashed=False)
        if facts is not None and not self.window.whole and self._mp4 is not None and not contents.fragments:
            for earlier, before in self._lead.needed(data, self._mp4.init, lambda one: self.vault.plaintext(file, one)):
                contents.fragments_left_out -= 1
                self._take_object(earlier, before, mp4)
        self._take_object(item, data, mp4)

    def _take_object(self, item: ObjectItem, data: bytes, mp4: Path) -> None:
        assert item.announced is not None  # plaintext() refuses anything else
        kind = item.announced.object
        self._contents.objects[kind] = self._contents.objects.get(kind, 0) + 1
        if kind == "metadata":
            self._contents.metadata.append({"item": item.number} | read_metadata(data))
        elif kind == "init":
            self._mp4 = ProgressiveMp4(mp4, data, self._comment, self._creation_time(), captioned=self._captioned)
        elif self._mp4 is None:
            raise MediaError("a media object stands before the init object")
        else:
            self._take_media(item, item.announced.media, self._mp4.add(data))

    def _creation_time(self) -> str | None:
        between = self._time.utc(self._time.first_ns) if self._time is not None else None
        return between[0] if between is not None else None

    def _take_media(self, item: ObjectItem, facts: MediaFacts | None, counted: Counted) -> None:
        assert self._gpx is not None
        assert self._mp4 is not None
        contents = self._contents
        if facts is not None and contents.end_ns is not None and facts.start_ns > contents.end_ns + 10**9:
            self._gpx.interrupt()
        fixes: list[GpsPoint] = []
        for payload in counted.gps:
            try:
                points = parse_gps_sample(payload)[0]
            except MediaError as error:
                contents.discrepancies.append(f"item {item.number:06d}: a GPS sample cannot be read: {error}")
                continue
            self._gpx.add(points)
            fixes += points
        contents.take(facts, counted, fixes, self._mp4.begin_s)
        if facts is None:
            return
        when = self._time.utc_words(facts.start_ns) if self._time is not None else "UTC not known"
        text = captions.caption(self.path.stem, when, fixes, self.label)
        self._mp4.caption(self._mp4.begin_s, self._mp4.end_s - self._mp4.begin_s, text)
        found = (counted.frames, counted.sound_frames, len(fixes))
        if found != (facts.frames, facts.sound_frames, facts.gps_fixes):
            contents.discrepancies.append(
                f"item {item.number:06d} holds {found[0]} frames, {found[1]} sound frames and {found[2]} GPS fixes, "
                f"its statement says {facts.frames}, {facts.sound_frames} and {facts.gps_fixes}"
            )


def _make_durable(path: Path) -> None:
    """Sync a finished temporary file, so that its new name never stands for less than its bytes."""
    with AppendFile.reopen(path) as file:
        file.append(())
    sync_directory(path.parent)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)

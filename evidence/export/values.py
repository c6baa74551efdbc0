"""The report of one export as plain values: what the JSON says, and what the HTML page is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from evidence.corrections import Found
from evidence.export import report as told
from evidence.export.contents import Contents
from evidence.export.custody import receipt_beside
from evidence.export.happenings import Happening, happenings
from evidence.export.stop_text import stop_text
from evidence.export.window import RecordingTime, Window
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What was judged, and how it is exported."""

    path: Path
    verdict: Report
    verifier: StreamVerifier
    trust: Trust
    window: Window
    label: str | None
    no_credentials: str
    """Why the MP4 carries no C2PA manifest; empty when it does."""
    stem: str
    """Begins the name of every output."""
    desk: str | None
    """Whose certificate will sign the report, by its subject; None if nobody does."""
    corrections: Found | None = None
    """What the device log corrects."""
    appended: Sequence[Mapping[str, Any]] = ()
    """What the device log appends: see `evidence.export.appended`."""


def report_values(facts: ExportFacts, contents: Contents, written: Sequence[Path]) -> dict[str, Any]:
    """The whole report. Adds a discrepancy to `contents` for a file that does not verify."""
    verdict, opened = facts.verdict, facts.verdict.opened
    if not verdict.valid:
        contents.discrepancies.append(
            f"unproven: only {verdict.frames} of the {contents.frames} exported frames stand before the finding"
            if facts.window.whole
            else f"unproven: only the first {verdict.frames} frames of the recording stand before the finding"
        )
    span = told.media_span(facts.verifier.chain)
    time = RecordingTime(opened, *span) if opened is not None and span is not None else None
    triggers = told.triggers_of(contents.metadata)
    found = happenings(contents.statements, contents.metadata, triggers)
    return {
        "format": "firsthand-export-report-1",
        "source": told.verdict_values(facts.path.name, verdict, facts.verifier.chain),
        **told.simulated(verdict, facts.trust.root, facts.trust.simulated),
        "labels": facts.label,
        "stem": facts.stem,
        "desk": facts.desk,
        "camera": msgspec.to_builtins(opened.camera) if opened is not None else None,
        "sources": msgspec.to_builtins(opened.sources) if opened is not None else [],
        "profile": msgspec.to_builtins(opened.profile) if opened is not None else None,
        "close_reason": verdict.closed.reason if verdict.closed is not None else None,
        "began_utc": time.utc(time.first_ns) if time is not None else None,
        "ended_utc": time.utc(time.end_ns) if time is not None else None,
        "corrections": told.correction_values(facts.corrections, facts.verifier.chain),
        "appended": list(facts.appended),
        "stop_text": stop_text(verdict.closed.reason if verdict.closed else None, contents.metadata, time),
        "span_ns": span,
        "sound": _sound(contents),
        "triggers": triggers,
        "happenings": [_told(one, time) for one in found],
        "custody": [one for one in (receipt_beside(facts.path, facts.trust, verdict),) if one is not None],
        "part": facts.window.kept_words(time, contents.first_ns, contents.end_ns),
        "c2pa": {"signed": not facts.no_credentials, "reason": facts.no_credentials or None},
        "metadata": contents.metadata,
        "statements": contents.statements,
        "objects": contents.objects,
        "exported": {
            "frames": contents.frames,
            "sound_frames": contents.sound_frames,
            "gps_points": contents.gps_points,
            "fragments": contents.fragments,
            "fragments_left_out": contents.fragments_left_out,
            "re_encoded": False,
            "discrepancies": contents.discrepancies,
        },
        "outputs": [told.output_facts(path) for path in written],
    }


def _told(one: Happening, time: RecordingTime | None) -> dict[str, Any]:
    values: dict[str, Any] = asdict(one)
    known = time is not None and one.at_ns is not None
    values["at_s"] = time.seconds(one.at_ns) if known else None  # type: ignore[union-attr, arg-type]
    values["utc"] = time.utc(one.at_ns) if known else None  # type: ignore[union-attr, arg-type]
    return values


def _sound(contents: Contents) -> dict[str, Any]:
    """Since when there is sound, and why there is none before: absent samples, never silence in their place."""
    first = next((one.start_ns for one in contents.stretches if one.sound), None)
    begin_ns = contents.first_ns
    late_s = (first - begin_ns) / 10**9 if first is not None and begin_ns is not None else None
    reason: object = None
    if contents.sound_frames == 0 or (late_s or 0) > 0:
        reason = _stated(contents.metadata)
    return {
        "frames": contents.sound_frames,
        "begins_s": late_s,
        "absent_because": reason,
        "largest_offset_us": contents.sound_offset_us,
    }


def _stated(metadata: Sequence[Mapping[str, Any]]) -> str:
    for document in metadata:
        if isinstance(document.get("sound_absent_because"), str):
            return str(document["sound_absent_because"])
        if document.get("microphone") is False:
            return "the camera had no microphone"
    return "the recording does not say why"

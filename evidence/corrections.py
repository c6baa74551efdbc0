"""Corrections of a recording's time that the camera signed later, in its device log (R40; invariants 9, 10).

A recording is never edited. Where nothing vouched for the camera's clock, the camera logs `time_correction` once a
station has told it the time: UTC at one instant of the same boot, from which the recording's times follow by
CLOCK_BOOTTIME. A correction counts only if

1. the whole log segment that holds it is valid under the same root as the recording, and of the same camera,
2. it names this very file: its number, its SHA-256 and the hash of its `close`,
3. it was written in the same boot as the recording's `open`, so that the monotonic clock is one and the same,
4. its shift is the one that follows from the recording's own claim.

It stands beside the camera's own claim and replaces nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evidence.errors import MalformedStatement, NotEvidence
from evidence.statements import AnyStatement, Correction, Event, Open, Stamp, Utc, moment, moment_ns
from evidence.verify import READ_BYTES, Report, StreamVerifier

EVENT: Final = "time_correction"
DRIFT_PPM: Final = 500
"""How fast CLOCK_BOOTTIME may run wrong: the most by which the kernel slews it, far above what a crystal does."""


def drift_ns(passed_ns: int) -> int:
    """How far the monotonic clock may be off after that much time, nanoseconds."""
    return abs(passed_ns) * DRIFT_PPM // 1_000_000


def utc_at(correction: Correction, at_ns: int) -> tuple[int, int]:
    """Earliest and latest UTC (nanoseconds since 1970) of an instant of CLOCK_BOOTTIME in the correction's boot."""
    passed_ns = correction.mono_ns - at_ns
    return (
        moment_ns(correction.utc.earliest) - passed_ns - drift_ns(passed_ns),
        moment_ns(correction.utc.latest) - passed_ns + drift_ns(passed_ns),
    )


def _shift(begun: Stamp, correction: Correction) -> tuple[int, int]:
    """(shift, uncertainty) in microseconds of the recording's own claim of UTC."""
    earliest_ns, latest_ns = utc_at(correction, begun.mono_ns)
    claimed = moment_ns(begun.utc.earliest) + moment_ns(begun.utc.latest)
    return (earliest_ns + latest_ns - claimed) // 2000, -((earliest_ns - latest_ns) // 2000)


def correction_of(begun: Stamp, mono_ns: int, utc: Utc) -> Correction:
    """The correction of a recording with that stamp in its `open`, by UTC at the instant `mono_ns`. Pure."""
    bare = Correction(mono_ns=mono_ns, utc=utc, shift_us=0, uncertainty_us=0)
    shift_us, uncertainty_us = _shift(begun, bare)
    return Correction(mono_ns=mono_ns, utc=utc, shift_us=shift_us, uncertainty_us=uncertainty_us)


@dataclass(frozen=True, slots=True)
class Corrected:
    """One correction that counts."""

    log: str
    """Name of the log segment that holds it, and the place of the statement in it."""
    segment: int
    seq: int
    by: str
    """The event's public word: who told the time."""
    correction: Correction

    def between(self, first_ns: int, end_ns: int) -> tuple[str, str]:
        """UTC interval in which the time from `first_ns` to `end_ns` (CLOCK_BOOTTIME) lies, as moments."""
        return moment(utc_at(self.correction, first_ns)[0]), moment(utc_at(self.correction, end_ns)[1])

    def values(self, first_ns: int, end_ns: int) -> dict[str, Any]:
        """For JSON and the report: its source, and the corrected interval of the begin and of the end."""
        one = self.correction
        return {
            "log": self.log,
            "segment": self.segment,
            "seq": self.seq,
            "by": self.by,
            "shift_us": one.shift_us,
            "uncertainty_us": one.uncertainty_us,
            "told_utc": {"earliest": one.utc.earliest, "latest": one.utc.latest, "mono_ns": one.mono_ns},
            "recorded_utc": dict(zip(("earliest", "latest"), self.between(first_ns, end_ns), strict=True)),
            "began_utc": self.between(first_ns, first_ns),
            "ended_utc": self.between(end_ns, end_ns),
        }


@dataclass
class Found:
    """What the log segments say about one recording."""

    counted: list[Corrected]
    notes: list[str]
    """Why a segment or a correction does not count."""


def _problem(opened: Open, report: Report, event: Event) -> str | None:
    """Why a correction that names the recording's number does not count; None if it does."""
    file, correction = event.file, event.correction
    if file is None or correction is None:
        return "it says nothing of a file"
    if (file.close_hash, file.sha256) != (report.close_hash, report.sha256):
        return "it is for a file with other content"
    if event.boot != opened.boot:
        return "it was written in another boot"
    if correction.utc.source == "none":
        return "nobody told that time"
    if not opened.mono_ns <= correction.mono_ns <= event.mono_ns:
        return "its instant lies outside of what it can know"
    try:
        follows = correction_of(opened, correction.mono_ns, correction.utc) == correction
        in_order = moment_ns(correction.utc.earliest) <= moment_ns(correction.utc.latest)
    except MalformedStatement as error:
        return str(error)
    return None if follows and in_order else "its shift does not follow from the recording's own claim"


def find(report: Report, logs: Sequence[Path], make: Callable[[str], StreamVerifier]) -> Found:
    """The corrections of a recording that verified, from log segments that are verified first.

    `make(name)` gives a verifier for one segment. Raises `NotEvidence` if a segment cannot be read.
    """
    found, opened = Found([], []), report.opened
    if opened is None or opened.stream != "recording" or report.close_hash is None:
        return found
    for path in logs:
        events: list[Event] = []

        def take(statement: AnyStatement, _: str, events: list[Event] = events) -> None:
            if isinstance(statement, Event) and statement.event == EVENT and statement.recording == opened.number:
                events.append(statement)

        verifier = make(path.name)
        verifier.on_statement = take
        try:
            with path.open("rb") as file:
                while chunk := file.read(READ_BYTES):
                    verifier.feed(chunk)
        except OSError as error:
            raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
        _judge(found, report, path.name, verifier.finish(), events)
    return found


def _judge(found: Found, report: Report, name: str, segment: Report, events: Sequence[Event]) -> None:
    opened, log = report.opened, segment.opened
    assert opened is not None
    if not segment.valid or log is None:
        found.notes.append(f"{name} corrects nothing: it is not valid ({'; '.join(segment.findings)})")
    elif log.stream != "log" or log.serial != opened.serial:
        found.notes.append(f"{name} corrects nothing: it is no device log of {opened.serial}")
    else:
        for event in events:
            problem = _problem(opened, report, event)
            if problem is not None:
                found.notes.append(f"{name}, seq {event.seq}: a correction does not count: {problem}")
            elif event.correction is not None:
                by = event.word or "not stated"
                found.counted.append(Corrected(name, log.number, event.seq, by, event.correction))

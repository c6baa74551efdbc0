"""`--log SEGMENT`: log segments that may correct the time of a recording, named or lying beside it."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Final

from evidence.corrections import Found, find
from evidence.export.report import media_span
from evidence.limits import LOG_SEGMENT_BYTES
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier

MOST: Final = 64
"""Segments beside a recording that are looked through."""


def add_log_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--log`."""
    parser.add_argument(
        "--log",
        type=Path,
        action="append",
        default=[],
        metavar="SEGMENT",
        help="segment of the camera's device log that may correct the recording's time (default: those that lie beside "
        "a recording whose clock nothing vouched for)",
    )


def _beside(path: Path, report: Report, notes: list[str]) -> list[Path]:
    """Segments that can hold a correction: a camera corrects only what no clock vouched for, and never earlier."""
    opened = report.opened
    if opened is None or opened.stream != "recording" or opened.utc.source != "none":
        return []
    first = opened.log_head.segment if opened.log_head is not None else 0
    named = f"{opened.serial}-log-"
    numbers: dict[int, Path] = {}
    for one in path.parent.glob(f"{named}*.evidence"):
        number = one.name.removeprefix(named).removesuffix(".evidence")
        if number.isascii() and number.isdigit() and len(number) < 16 and one.is_file():
            numbers[int(number)] = one
    wanted = [numbers[number] for number in sorted(numbers) if number >= first]
    if len(wanted) > MOST:
        notes.append(f"of {len(wanted)} log segments beside it the first {MOST} were read: name others with --log")
    return [one for one in wanted[:MOST] if one.stat().st_size <= 2 * LOG_SEGMENT_BYTES]


def corrections(path: Path, report: Report, logs: list[Path], trust: Trust, at: dt.datetime | None) -> Found:
    """What corrects the time of a verified recording. Raises `NotEvidence` if a named segment cannot be read."""
    notes: list[str] = []
    segments = logs or _beside(path, report, notes)
    found = find(report, segments, lambda name: StreamVerifier(trust, name, at or dt.datetime.now(dt.UTC)))
    found.notes[:0] = notes
    return found


def in_words(found: Found, verifier: StreamVerifier) -> list[str]:
    """For the report of `verify`: beside the camera's own claim, never in its place."""
    opened, span = verifier.chain.opened, media_span(verifier.chain)
    if opened is None:
        return []
    shown = []
    for one in found.counted:
        earliest, latest = one.between(*(span or (opened.mono_ns, opened.mono_ns)))
        shift_s, error_s = one.correction.shift_us / 10**6, one.correction.uncertainty_us / 10**6
        shown.append(f"  corrected  between {earliest} and {latest} (UTC): a later correction, told by the {one.by}")
        shown.append(
            f"             shift {shift_s:+.3f} s, sure to {error_s:.3f} s; signed in {one.log}, seq {one.seq}"
        )
    return shown + [f"  note       {note}" for note in found.notes]

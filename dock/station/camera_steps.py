"""What a camera's own device log says of one recording: opened, closed, labelled, receipt taken, deleted (R38).

Only what stands in the open; sealed details stay sealed. A segment counts if it verifies under the root.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dock.station.kept_files import KeptFiles
from evidence import log_read
from evidence.limits import LOG_SEGMENT_BYTES
from evidence.log_entries import Entry, cuts, timeline
from evidence.log_words import Language
from evidence.statements import Event, moment, moment_ns
from evidence.trust import Trust
from hal import program_time

MOST: Final = 512
"""Segments that are looked through for one recording, the newest of them: years of one camera."""
_SEGMENT: Final = re.compile(r"(?P<serial>[A-Z0-9][A-Z0-9-]{0,31})-log-(?P<number>[0-9]{6,12})\.evidence", re.ASCII)


@dataclass(frozen=True)
class CameraStep:
    """One entry of a device log."""

    at: str | None
    """The middle of the camera's claim of UTC; None if it knew no time."""
    uncertainty_ms: int
    place: str
    """Segment and statement, as ``log 3:17``."""
    step: str
    sentence: str


def segments_of(names: Iterable[str], serial: str) -> list[str]:
    """The log segments of one camera among some names, in order."""
    found = ((match, name) for name in names if (match := _SEGMENT.fullmatch(name)) is not None)
    return [name for match, name in sorted(found, key=lambda one: int(one[0]["number"])) if match["serial"] == serial]


def speaks_of(data: bytes, number: int) -> bool:
    """Whether a segment's octets name that recording: its statements are not encrypted. Saves verifying the others."""
    return re.search(rb'"recording":%d[,}]' % number, data) is not None


def camera_steps(
    kept: KeptFiles, trust: Trust, serial: str, number: int, language: Language
) -> tuple[list[CameraStep], list[str]]:
    """All that verified segments say of a recording, in their order; and what does not verify. Raises OSError."""
    with tempfile.TemporaryDirectory() as directory:
        speaking: list[Path] = []
        for name in segments_of(kept.names(), serial)[-MOST:]:
            place = kept.find(name)
            if place is None or (place.size(name) or 0) > 2 * LOG_SEGMENT_BYTES:
                continue
            data = b"".join(place.read(name))
            if speaks_of(data, number):
                speaking.append(Path(directory) / name)
                speaking[-1].write_bytes(data)
        if not speaking:
            return [], []
        found = log_read.read(speaking, trust, None, program_time.utc_now())
    told = timeline(cuts(one for one in found.entries if one.statement.serial == serial))
    steps = [_step(one, language) for one in told if one.recording == number and _is_event(one)]
    return steps, found.findings


def _is_event(one: Entry) -> bool:
    return isinstance(one.statement, Event) and one.statement.stream == "log" and one.name != "state"


def _step(one: Entry, language: Language) -> CameraStep:
    utc = one.statement.utc
    earliest, latest = moment_ns(utc.earliest), moment_ns(utc.latest)
    known = utc.source != "none"
    return CameraStep(
        at=moment((earliest + latest) // 2) if known else None,
        uncertainty_ms=(latest - earliest) // 2_000_000 if known else 0,
        place=f"log {one.statement.number}:{one.statement.seq}",
        step=one.name,
        sentence=language.sentence(one.name, one.fields),
    )

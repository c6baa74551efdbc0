"""What was appended to a recording later: categories, case numbers, notes, holds, a corrected officer (R5, R31, R40).

The camera signs these into its device log, since nothing follows a recording's `close`. An entry counts only if its
whole log segment is valid under the same root and of the same camera, and if it names this recording: its number, and
its close hash where the entry has one. What a person wrote is sealed beside the entry, and opened with the vault's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from evidence.errors import EvidenceError, NotEvidence
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.limits import LOG_SEGMENT_BYTES
from evidence.statements import Event
from evidence.trust import Trust
from evidence.verify import Report, verify_file

EVENT: Final = "labelled"
MOST: Final = 64
_LEFT_OUT: Final = ("event", "seq", "recording")


def segments_beside(path: Path, report: Report) -> list[Path]:
    """Log segments of the same camera in the same directory, oldest first, from the one that the recording names on."""
    opened = report.opened
    if opened is None or opened.stream != "recording":
        return []
    first = opened.log_head.segment if opened.log_head is not None else 0
    named = f"{opened.serial}-log-"
    numbered = {
        int(number): one
        for one in path.parent.glob(f"{named}*.evidence")
        if (number := one.name.removeprefix(named).removesuffix(".evidence")).isascii() and number.isdigit()
    }
    wanted = [numbered[number] for number in sorted(numbered) if number >= first]
    return [one for one in wanted[:MOST] if one.is_file() and one.stat().st_size <= 2 * LOG_SEGMENT_BYTES]


def appended_labels(report: Report, logs: Sequence[Path], trust: Trust, vault: Vault) -> list[dict[str, Any]]:
    """All that counts, in the order of the log. Raises `NotEvidence` if a segment cannot be read."""
    opened = report.opened
    if opened is None or opened.stream != "recording":
        return []
    found: list[dict[str, Any]] = []
    for path in logs:
        try:
            segment = verify_file(path, trust)
            log = segment.opened
            if segment.valid and log is not None and log.stream == "log" and log.serial == opened.serial:
                found += _of(path, report, opened.number, vault)
        except OSError as error:
            raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    return found


def _of(path: Path, report: Report, number: int, vault: Vault) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    last: Event | None = None
    with path.open("rb") as file:
        for item in walk(file):
            if isinstance(item, StatementItem):
                statement = item.statement
                if isinstance(statement, Event):
                    last = statement if _is_about(statement, report, number) else None
                    if last is not None:
                        found.append(_entry(last, path.name))
            elif isinstance(item, ObjectItem) and last is not None:
                found[-1]["details"] = _details(vault, file, item)
                last = None
    return found


def _is_about(event: Event, report: Report, number: int) -> bool:
    same = event.file is None or event.file.close_hash == report.close_hash
    return event.event == EVENT and event.recording == number and same


def _entry(event: Event, log: str) -> dict[str, Any]:
    return {
        "word": event.word,
        "log": log,
        "seq": event.seq,
        "utc": {"earliest": event.utc.earliest, "latest": event.utc.latest, "source": event.utc.source},
        "details": {},
    }


def _details(vault: Vault, file: BinaryIO, item: ObjectItem) -> dict[str, Any]:
    try:
        values = read_metadata(vault.plaintext(file, item))
    except EvidenceError as error:
        return {"unreadable": str(error)}
    return {name: value for name, value in values.items() if name not in _LEFT_OUT and value is not None}

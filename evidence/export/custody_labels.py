"""Labels that were given at the dock: entries of the station's custody ledger that name a recording (R5, R31, R40).

An entry counts if a station under the same root signed it and if it names this recording: its file, and its close hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.trust import Trust
from evidence.verify import Report, file_name

STEP: Final = "labelled"


def custody_labels(report: Report, places: Sequence[Path], trust: Trust) -> tuple[list[dict[str, Any]], list[str]]:
    """All labels that count, in the ledger's order, in the form of `appended_labels`; and what does not hold.

    Raises `NotEvidence` if a ledger cannot be read.
    """
    opened = report.opened
    if opened is None or opened.stream != "recording":
        return [], []
    name = file_name(opened.serial, opened.stream, opened.number)
    found: list[dict[str, Any]] = []
    findings: list[str] = []
    for place in places:
        ledger = Ledger(ledger_files(place), trust)
        for one in ledger.entries():
            entry = one.statement
            if entry.step == STEP and entry.name == name and entry.details.get("close_hash") == report.close_hash:
                found.append(_told(entry))
        findings += [f"{place}: {finding}" for finding in ledger.findings]
    return found, findings


def _told(entry: CustodyEntry) -> dict[str, Any]:
    what, value = entry.details.get("what", "label"), entry.details.get("value", "")
    is_category = what == "category"
    return {
        "word": value if is_category else what,
        "log": "the custody ledger of the dock",
        "seq": entry.seq,
        "utc": {"earliest": entry.at, "latest": entry.at, "source": "dock"},
        "details": {**({} if is_category else {"text": value}), "by": entry.who},
    }

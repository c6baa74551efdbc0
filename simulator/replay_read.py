"""Read a real camera's log for a replay: verified under a root, or with a loud word if there is none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.audit_read import paths_of
from evidence.errors import EvidenceError, NotEvidence
from evidence.export.decrypt import Vault
from evidence.export.items import StatementItem, walk
from evidence.log_entries import Entry, cuts, timeline
from evidence.log_read import Found, entries_of, read
from evidence.statements import Open
from evidence.trust import Trust
from simulator.run_errors import BadInput

UNVERIFIED: Final = "NOT VERIFIED: no --root was given, so anybody may have written this log"


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What one camera did, in order."""

    serial: str
    entries: tuple[Entry, ...]
    opened: tuple[Open, ...]
    """The beginnings of its files, in the order of their names."""
    warnings: tuple[str, ...]
    """What a reader of the replay must know, a sentence each."""
    details: bool
    """The sealed details could be opened."""


def read_log(places: Sequence[Path], trust: Trust | None, vault: Vault | None, serial: str | None = None) -> ReadLog:
    """Read all log segments and recordings under some places. Raises `BadInput` with one sentence."""
    try:
        found = _unverified(places, vault) if trust is None else read(places, trust, vault, dt.datetime.now(dt.UTC))
        chosen = found.camera(serial)
    except (EvidenceError, OSError) as error:
        raise BadInput(str(error)) from error
    mine = [one for one in found.entries if one.statement.serial == chosen]
    warnings = [UNVERIFIED] if trust is None else []
    warnings += [f"NOT VALID: {finding}" for finding in found.findings]
    warnings += [f"log segment {number} is NOT HERE: what happened then is not played" for number in
                 found.missing_segments]  # fmt: skip
    opened = tuple(one.statement for one in mine if isinstance(one.statement, Open))
    if not any(one.stream == "log" for one in opened):
        raise BadInput("no device log is among these files: give SERIAL-log-….evidence, or their folder")
    details = vault is not None and any(one.details for one in mine if one.name in ("boot", "recording_opened"))
    return ReadLog(chosen, tuple(timeline(cuts(mine))), opened, tuple(warnings), details)


def _unverified(places: Sequence[Path], vault: Vault | None) -> Found:
    """As `evidence.log_read.read`, but everything that can be read counts."""
    found = Found()
    names: set[str] = set()
    for path in paths_of(places):
        with path.open("rb") as file:
            statements = [item for item in walk(file) if isinstance(item, StatementItem)]
            held = {item.sha256: item.statement for item in statements if item.statement is not None}
            opened = next((one for one in held.values() if isinstance(one, Open)), None)
            if opened is None or path.name in names:
                found.ignored += 1
                continue
            names.add(path.name)
            found.findings += [f"{path.name}: {item.problem}" for item in statements if item.problem is not None]
            file.seek(0)
            found.entries += entries_of(file, path.name, held, vault, found.findings)
    if not found.entries:
        raise NotEvidence("these files hold no evidence: no statement can be read")
    return found

"""Read a station's custody ledger beside the running station: no lock, nothing is written (R38)."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from dock.station.custody_index import CustodyIndex, Row, entries_after
from evidence.custody_ledger import CustodyEntry, file_name, read_one, signature_check
from evidence.errors import EvidenceError
from evidence.trust import Trust


class CustodyReader:
    """Finds through the station's index if that can be read, and reads on in the ledger where the index ends."""

    def __init__(self, directory: Path, trust: Trust) -> None:
        self._directory = directory
        self._check = signature_check(trust)
        self.findings: list[str] = []
        """Entries that do not hold."""

    def about(self, *, name: str | None = None, serial: str | None = None) -> list[CustodyEntry]:
        """The steps of one file, or of one camera, that hold under the root, oldest first. Raises OSError."""
        last, rows = self._indexed(name, serial)
        found: list[CustodyEntry] = []
        for row in rows:
            try:
                path = self._directory / file_name(row.file)
                found.append(read_one(path, row.offset, row.size, row.hash, self._check))
            except EvidenceError as error:
                self.findings.append(f"entry {row.seq}: {error}")
        for _, one in entries_after(self._directory, last):
            entry = one.statement
            if (name is not None and entry.name != name) or (serial is not None and entry.serial != serial):
                continue
            try:
                self._check(one.message)
            except EvidenceError as error:
                self.findings.append(f"entry {entry.seq}: {error}")
                continue
            found.append(entry)
        return found

    def _indexed(self, name: str | None, serial: str | None) -> tuple[Row | None, list[Row]]:
        try:
            with contextlib.closing(CustodyIndex(self._directory, read_only=True)) as index:
                last = index.last()
                rows = index.find(name=name, serial=serial)
        except sqlite3.Error:  # there is none, or it may not be read by us: the ledger itself is read
            return None, []
        return last, [row for row in rows if last is not None and row.seq <= last.seq]

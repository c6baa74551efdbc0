"""The custody ledger of this station: every step of every file is written here (R38, R40, R41; docs/design/custody.md).

1. An entry is durable when `enter` returns: one write and one fdatasync. Nothing is ever taken out.
2. The ledger goes on in the next numbered file at `ROLL_BYTES`; the chain goes on with it.
3. Opening reads the end of the newest file and checks the last append, whatever the ledger's size. What a crash left of
   it, which nobody was told of, is set aside and told; a ledger that is damaged or shorter than the index knows it goes
   on in a new file that says so. Neither keeps a station from starting.
4. The index only finds: what it names is read from the ledger, digest and signature checked.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dock.station.custody_end import APPEND_BYTES, End, end_of
from dock.station.custody_index import CustodyIndex, Row
from evidence import cms, durable
from evidence.custody_ledger import DECODER, CustodyEntry, file_name, ledger_files, number_of, read_one, signature_check
from evidence.durable import AppendFile
from evidence.errors import EvidenceError, NotEvidence
from evidence.keys import Signer
from evidence.signed_chain import Place
from evidence.statements import encode_canonical, moment
from evidence.torn import set_aside

__all__ = ["ROLL_BYTES", "SOFTWARE", "Custody", "CustodyEntry", "Step"]

log = logging.getLogger(__name__)
ROLL_BYTES: Final = 64 * 2**20
"""About 30,000 entries."""


def _version() -> str:
    try:
        return importlib.metadata.version("firsthand")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


SOFTWARE: Final = f"firsthand-dock {_version()}"[:128]


@dataclass(frozen=True)
class Step:
    """One step that is to be entered."""

    step: str
    who: str
    serial: str | None = None
    name: str | None = None
    sha256: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class Custody:
    """The ledger of one station. Calls block, from any thread."""

    def __init__(
        self, directory: Path, signer: Signer, *, utc_ns: Callable[[], int], roll_bytes: int = ROLL_BYTES
    ) -> None:
        """Raises OSError."""
        durable.make_directory(directory)
        self.directory = directory
        self._signer = signer
        self._utc_ns = utc_ns
        self._roll_bytes = roll_bytes
        self._lock = threading.Lock()
        self._number = 1
        self._place = Place()
        self.index = CustodyIndex(directory)
        self._file = self._open()

    @property
    def head(self) -> Place:
        """What comes next: how many entries there are, and the digest of the last one."""
        return self._place

    def enter(
        self,
        step: str,
        *,
        who: str,
        serial: str | None = None,
        name: str | None = None,
        sha256: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> CustodyEntry:
        """Write one step; durable when it returns. Raises OSError."""
        return self.enter_all([Step(step, who, serial, name, sha256, details or {})])[0]

    def enter_all(self, steps: Sequence[Step]) -> list[CustodyEntry]:
        """Write several steps at once. Durable when it returns; raises OSError, and then none of them is there."""
        with self._lock:
            return self._enter_all(steps)

    def _enter_all(self, steps: Sequence[Step]) -> list[CustodyEntry]:
        if self._file.size >= self._roll_bytes:
            self._roll()
        place, appends, entries = self._place, [list[bytes]()], list[CustodyEntry]()
        for step in steps:
            entry, data = self._sign(step, place)
            place = Place(entry.seq + 1, hashlib.sha256(data).hexdigest())
            if sum(map(len, appends[-1])) + len(data) > APPEND_BYTES:
                appends.append([])
            appends[-1].append(data)
            entries.append(entry)
        self._append(appends)
        self._place = place
        return entries

    def _append(self, appends: list[list[bytes]]) -> None:
        """All of them or, where the file system refuses one, none."""
        before = self._file.size
        try:
            for parts in appends:
                self._file.append(parts)
        except OSError:
            if self._file.size > before:
                self._file.truncate(before)
            raise

    def _sign(self, step: Step, place: Place) -> tuple[CustodyEntry, bytes]:
        now_ns = self._utc_ns()
        entry = CustodyEntry(
            v=1,
            seq=place.seq,
            prev=place.prev,
            at=moment(now_ns),
            step=step.step,
            who=step.who[:128],
            software=SOFTWARE,
            serial=step.serial,
            name=step.name,
            sha256=step.sha256,
            details={key: str(value)[:500] for key, value in step.details.items()},
        )
        DECODER.decode(payload := encode_canonical(entry))  # what nobody could read again is a mistake of ours: raises
        return entry, cms.sign(payload, self._signer, dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC))

    def entries(self, name: str | None = None) -> list[CustodyEntry]:
        """All steps, or those of one file, oldest first. Raises `EvidenceError`, OSError."""
        return self.find(name=name)

    def find(
        self, *, name: str | None = None, serial: str | None = None, step: str | None = None, most: int | None = None
    ) -> list[CustodyEntry]:
        """The steps that fit everything that is given, oldest first; with `most`, the newest of them.

        Raises `EvidenceError` for an entry that does not hold any more, OSError.
        """
        try:
            self.catch_up()
            rows = self.index.find(name=name, serial=serial, step=step, most=most)
        except sqlite3.Error as error:
            raise OSError(f"the index of the custody ledger cannot be read: {error}") from error
        return [self._read(row) for row in rows]

    def documents(self, name: str) -> list[tuple[CustodyEntry, bytes]]:
        """The steps of one file with their signed form (DER), oldest first. Raises `EvidenceError`, OSError."""
        try:
            self.catch_up()
            rows = self.index.find(name=name)
        except sqlite3.Error as error:
            raise OSError(f"the index of the custody ledger cannot be read: {error}") from error
        found: list[tuple[CustodyEntry, bytes]] = []
        for row in rows:
            with (self.directory / file_name(row.file)).open("rb") as file:
                file.seek(row.offset)
                found.append((self._read(row), file.read(row.size)))
        return found

    def catch_up(self) -> None:
        """Bring the index up to date. Raises OSError, sqlite3.Error."""
        self.index.catch_up(self._place.seq)

    def _read(self, row: Row) -> CustodyEntry:
        path = self.directory / file_name(row.file)
        return read_one(path, row.offset, row.size, row.hash, signature_check(None))

    def close(self) -> None:
        self._file.close()
        self.index.close()

    def _roll(self) -> None:
        file = AppendFile.create(self.directory / file_name(self._number + 1))
        self._file.close()
        self._file, self._number = file, self._number + 1

    def _open(self) -> AppendFile:
        known = self._known()
        end = self._end(known)
        if end is None:
            self._file = AppendFile.create(self.directory / file_name(1))
            if known is not None:
                self._resume("ledger_behind", known, {"known": str(known.seq), "why": "its files are gone"})
            return self._file
        self._number = end.number
        self._place = end.place or Place()
        self._file = AppendFile.reopen(self.directory / file_name(end.number))
        behind = known is not None and known.seq >= self._place.seq
        if end.rest and (behind or not end.torn):
            why = f"{end.rest} bytes of {file_name(end.number)} from byte {end.size} on are no entries"
            self._roll()
            self._resume("ledger_broken", known, {"after": str(self._place.seq - 1), "why": why})
        elif end.rest:
            self._set_aside(end)
        elif behind and known is not None:
            self._roll()
            self._resume("ledger_behind", known, {"known": str(known.seq)})
        elif known is not None and not self._stands(known):
            self.index.forget()
            why = f"entry {known.seq} is another one than was written"
            self._resume("ledger_broken", None, {"after": str(known.seq - 1), "why": why})
        return self._file

    def _stands(self, known: Row) -> bool:
        try:
            self._read(known)
        except EvidenceError:
            return False
        return True

    def _known(self) -> Row | None:
        try:
            return self.index.last()
        except sqlite3.Error as error:
            log.error("the index of the custody ledger cannot be read: %s", error)
            return None

    def _resume(self, step: str, known: Row | None, details: dict[str, str]) -> None:
        """Go on in a file of its own, behind the last entry that is known of."""
        if known is not None and known.seq >= self._place.seq:
            self._place = known.next
        log.critical("the custody ledger in %s does not hold, it goes on with a note: %s", self.directory, details)
        self._enter_all([Step(step, "station", details=details)])

    def _set_aside(self, end: End) -> None:
        """A crash came in the middle of the last entry, which nobody was told of."""
        kept, torn = set_aside(self._file, end.size)
        log.warning("the custody ledger's last entry was cut off: %d bytes are set aside as %s", len(torn), kept)
        details = {"bytes": str(len(torn)), "kept": kept, "sha256": hashlib.sha256(torn).hexdigest()}
        self._enter_all([Step("ledger_cut", "station", details=details)])

    def _end(self, known: Row | None) -> End | None:
        """How the ledger ends, from the newest file backwards; None if there is none. Raises OSError."""
        try:
            files = ledger_files(self.directory)
        except NotEvidence:
            return None
        newest: End | None = None
        for path in reversed(files):
            begin = known.offset if known is not None and known.file == number_of(path) else 0
            found = end_of(path, begin)
            if found.place is None and begin:
                found = end_of(path, 0)
            newest = newest or found
            if found.place is not None:
                return End(newest.number, found.place, newest.size, newest.rest, newest.torn)
        return newest

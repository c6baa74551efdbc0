"""The custody ledger: every step of every file from camera to court, signed and chained (R38, R40; ISO/IEC 27037).

1. A ledger is a directory of files ``ledger-000001.custody``, ``ledger-000002.custody``…; each is a chain of CMS
   SignedData around canonical JSON (`evidence.signed_chain`), and the chain goes on from file to file.
2. The signer has the receipt role: the station that did the step, or that took in somebody's word for it (`who`).
3. Nothing is ever taken out. A ledger whose end was cut off looks whole: its newest hash belongs on other paper, and
   stands in each hand-off.
4. A file that was damaged is never cut in its middle: the next file begins with `ledger_broken`, which follows the last
   entry that is known, and says so. Only what a crash left of the last append is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec
from msgspec import Meta

from evidence import cms
from evidence.errors import BrokenChain, EvidenceError, NotEvidence
from evidence.signed_chain import Chained, Check, Link, Place, link, messages
from evidence.statements import Hash, Moment, Name, Serial, Word
from evidence.trust import Trust

SUFFIX: Final = ".custody"
_FILE: Final = re.compile(r"ledger-([0-9]{6,9})\.custody", re.ASCII)
Detail = Annotated[str, Meta(max_length=500)]
RESUMED: Final = frozenset({"ledger_broken", "ledger_behind"})
"""Steps that begin a file and say why they do not follow the entry before them."""


class CustodyEntry(Chained, frozen=True, kw_only=True, tag_field="kind", tag="custody"):
    """One step."""

    at: Moment
    """The station's clock."""
    step: Word
    """What was done: `received`, `receipt`, `archived`, `hold`, `released`, `labelled`, `accepted`, `exported`…"""
    who: Name
    """A person, `camera SERIAL`, `station NAME`: who did it."""
    software: Name
    """Program and version that did it."""
    serial: Serial | None = None
    """The camera."""
    name: Name | None = None
    """The file, by its name on the camera."""
    sha256: Hash | None = None
    """The file's digest at this step."""
    details: Annotated[dict[Word, Detail], Meta(max_length=24)] = msgspec.field(default_factory=dict)
    """What else belongs to it."""


Entry = Link[CustodyEntry]
DECODER: Final = msgspec.json.Decoder(CustodyEntry)


def file_name(number: int) -> str:
    """The name of a ledger's file; numbers begin with 1."""
    return f"ledger-{number:06d}{SUFFIX}"


def number_of(path: Path) -> int | None:
    """The number of a ledger's file; None for another file."""
    found = _FILE.fullmatch(path.name)
    return int(found[1]) if found else None


def ledger_files(place: Path) -> list[Path]:
    """The files of a ledger in order, or the one file. Raises `NotEvidence`, OSError."""
    if not place.is_dir():
        return [place]
    found = sorted((number, path) for path in place.iterdir() if (number := number_of(path)) is not None)
    if not found:
        raise NotEvidence(f"{place} holds no custody ledger ({file_name(1)})")
    return [path for _, path in found]


def signature_check(trust: Trust | None) -> Check:
    """Judges an entry's signer: under a root, or the signature alone."""

    def check(message: cms.SignedMessage) -> None:
        if trust is None:
            cms.check_signature(message)
        else:
            trust.check(message, role="receipt", at=message.signed_at)

    return check


@dataclass
class Ledger:
    """A ledger that is read from its first entry on; what does not hold is a finding."""

    files: Sequence[Path]
    trust: Trust | None
    place: Place = field(default_factory=Place)
    """What must come next; after the last entry: how many there are, and the ledger's head."""
    whole: bool = True
    """It begins at its first entry. A single later file is judged from its own first entry on."""
    findings: list[str] = field(default_factory=list)

    @property
    def head(self) -> str:
        """SHA-256 of the last entry that holds."""
        return self.place.prev

    def entries(self) -> Iterator[Entry]:
        """Every entry that holds, in order. Raises `NotEvidence` if a file cannot be read."""
        check = signature_check(self.trust)
        for at, path in enumerate(self.files):
            number = number_of(path)
            if at and number is not None and number_of(self.files[at - 1]) != number - 1:
                self.findings.append(f"{file_name(number - 1)} is missing")
            try:
                with path.open("rb") as file:
                    self._begin(file, path, alone=at == 0 and number not in (None, 1))
                    for offset, data in messages(file):
                        found = link(data, offset, DECODER, self.place, check, path.name)
                        self.place = found.next
                        yield found
            except OSError as error:
                raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
            except EvidenceError as error:
                last = f"the last entry that holds is {self.place.seq - 1}" if self.place.seq else "no entry holds"
                self.findings.append(f"{path.name}: {error} ({last})")

    def _begin(self, file: BinaryIO, path: Path, *, alone: bool) -> None:
        """Where a file stands in the chain: after the one before it, or (a finding) by its own first entry's word."""
        for offset, data in messages(file):
            first = link(data, offset, DECODER, None, cms.check_signature, path.name).statement
            if alone:
                self.whole = False
            elif (first.seq, first.prev) != (self.place.seq, self.place.prev):
                self.findings.append(f"{path.name} begins with entry {first.seq}, where entry {self.place.seq} belongs")
            self.place = Place(first.seq, first.prev)
            break
        file.seek(0)


def read_one(path: Path, offset: int, size: int, digest: str, check: Check) -> CustodyEntry:
    """One entry by its place, which an index told: it must be the one with that digest. Raises `EvidenceError`."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    found = link(data, offset, DECODER, None, check, path.name)
    if found.digest != digest:
        raise BrokenChain(f"{path.name}: at byte {offset} stands another entry than the index says: check the ledger")
    return found.statement

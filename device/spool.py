"""The spool: which evidence files lie on the card, in which state, and their numbers."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from device.appended import Appended
from device.log_endings import unended
from device.state_file import StateUnreadable, read_state, write_state
from evidence.cms import parse_signed
from evidence.durable import make_directory
from evidence.errors import EvidenceError, NotEvidence
from evidence.handover import PAGE_FILES, SpoolFile
from evidence.handover import Spool as Listing
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Close, FileFacts, Open, Stamp, decode
from evidence.verify import READ_BYTES

log = logging.getLogger("firsthand.spool")

NAME: Final = re.compile(r"^([A-Z0-9][A-Z0-9-]{0,31}?)-(?:(log)-)?([0-9]{6,})\.evidence$")
LONG_SEQUENCE: Final = b"\x30\x82"
"""How a statement begins in DER: a SEQUENCE with a length of two bytes."""


class Counters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that are never used twice, kept in the state directory beside what the spool itself shows."""

    next_recording: Annotated[int, Meta(ge=1)] = 1
    next_segment: Annotated[int, Meta(ge=1)] = 1
    boots: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A closed file with the facts that a receipt must repeat."""

    stream: str
    number: int
    facts: FileFacts
    nonce: str
    upload_class: str
    hold: bool
    begun: Stamp
    """That of its `open`."""
    recipients: tuple[str, ...] = ()
    """SHA-256 of the vault certificates that it is sealed to, and…"""
    firmware_sha256: str = ""
    """…of the firmware that sealed it: what a vault proof must name."""


@dataclass
class Spool:
    """The directory and what is known about the files in it. Safe to use from the loop and the writer thread."""

    directory: Path
    state: Path
    serial: str
    counters: Counters = field(default_factory=Counters)
    _known: dict[str, Known] = field(default_factory=dict)
    _unread: list[Path] = field(default_factory=list)
    _last_close: tuple[int, str] = (0, "")
    """Number and close hash of the newest closed log segment."""
    _begun: int = 0
    """The highest recording number that has a file: only such are durably taken, else a death would leave holes."""
    _at_boot: Counters = field(default_factory=Counters)
    """The counters when this boot began."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    appended: Appended = field(init=False)
    """Holds and upload classes that came after a recording was begun."""

    def __post_init__(self) -> None:
        self.appended = Appended(self.state / "appended.json")

    def load(self) -> list[tuple[str, int, Path]]:
        """Read counters and directory; the files that are not closed, as (stream, number, path), oldest first.

        Of each file only the end is looked at: a camera must record at once, however much lies on its card.
        Raises OSError if the directory cannot be read.
        """
        make_directory(self.directory)
        self.counters = self._load_counters()
        self.appended.load()
        unclosed: list[tuple[str, int, Path]] = []
        highest = {"recording": self.counters.next_recording - 1, "log": self.counters.next_segment - 1}
        for path in self.directory.iterdir():
            match = NAME.match(path.name)
            if match is None or match[1] != self.serial:
                continue
            stream, number = match[2] or "recording", int(match[3])
            highest[stream] = max(highest[stream], number)
            if path.is_symlink() or not path.is_file():
                log.error("%s is no file: it is left alone", path)
                continue
            close_hash = close_hash_of(path)
            if close_hash is None:
                unclosed.append((stream, number, path))
                continue
            self._unread.append(path)
            if stream == "log":
                self._last_close = max(self._last_close, (number, close_hash))
        for path in (self.directory / "aside").glob("*.evidence.*") if (self.directory / "aside").is_dir() else ():
            match = NAME.match(path.name.partition(".evidence")[0] + ".evidence")
            if match is not None and not (match[2] and ".no-open" in path.name):  # of such a segment nothing was signed
                stream = match[2] or "recording"
                highest[stream] = max(highest[stream], int(match[3]))
        self.counters = Counters(highest["recording"] + 1, highest["log"] + 1, self.counters.boots + 1)
        self._at_boot, self._begun = self.counters, highest["recording"]
        return sorted(unclosed, key=lambda one: one[1])

    def read_closed(self) -> list[Path]:
        """Read the files that were closed before this start, and give those that do not read as whole.

        Hours of footage take minutes to read, and nobody may wait for that: the caller does it in a thread.
        """
        damaged: list[Path] = []
        while self._unread:
            path = self._unread.pop()
            known = read_known(path)
            if known is None:
                damaged.append(path)
            else:
                with self._lock:
                    self._known[path.name] = known
        return damaged

    def closed_but_unlogged(self) -> list[Known]:
        """Closed recordings of whose end the log of earlier boots says nothing.

        A crash between a recording's `close` and the log's word about it leaves one. Call it after `read_closed`.
        """
        with self._lock:
            known = [one for one in self._known.values() if self._before_this_boot(one)]
        recordings = {one.number: one for one in known if one.stream == "recording"}
        tail: list[Known] = []  # of the log, newest first, without a hole: in one that was let go a recording may end
        for one in sorted((one for one in known if one.stream == "log"), key=lambda one: -one.number):
            if tail and one.number != tail[-1].number - 1:
                break
            tail.append(one)
        segments = [(self.directory / one.facts.name, one.facts.bytes) for one in tail]
        first = bool(tail) and tail[-1].number == 1
        return [recordings[number] for number in sorted(unended(recordings, segments, from_the_first=first))]

    def _before_this_boot(self, known: Known) -> bool:
        first = self._at_boot.next_segment if known.stream == "log" else self._at_boot.next_recording
        return known.number < first

    def _load_counters(self) -> Counters:
        try:
            counters: Counters | None = read_state(self.state / "counters.json", Counters)
        except StateUnreadable as error:
            log.error("%s: numbers go on after those in the spool", error)
            return Counters()
        return counters or Counters()

    def save_counters(self, begun: int = 0) -> None:
        """Make the counters durable; `begun` is a recording that has its file now (writer thread). Raises OSError."""
        self._begun = max(self._begun, begun)
        kept = msgspec.structs.replace(self.counters, next_recording=self._begun + 1)
        write_state(self.state / "counters.json", kept)

    def take_recording_number(self) -> int:
        """The next recording number; it is durable once a file of that name or the counters are."""
        with self._lock:
            number = self.counters.next_recording
            self.counters = msgspec.structs.replace(self.counters, next_recording=number + 1)
            return number

    def note_segment(self, number: int) -> None:
        """A log segment of that number exists."""
        with self._lock:
            following = max(self.counters.next_segment, number + 1)
            self.counters = msgspec.structs.replace(self.counters, next_segment=following)

    def add_closed(self, facts: FileFacts) -> None:
        """A file was closed; its name and hashes are in `facts`."""
        known = read_known(self.directory / facts.name, facts)
        if known is not None:
            with self._lock:
                self._known[facts.name] = known
                if known.stream == "log":
                    self._last_close = max(self._last_close, (known.number, facts.close_hash))

    def find(self, name: str) -> Known | None:
        with self._lock:
            return self._known.get(name)

    def forget(self, name: str) -> None:
        """A file was unlinked."""
        with self._lock:
            self._known.pop(name, None)
        self.appended.forget(name)

    def last_close_hash(self) -> str | None:
        """Close hash of the newest closed log segment."""
        return self._last_close[1] or None

    @property
    def newest_segment(self) -> int:
        """Number of the newest closed log segment; 0 if there is none."""
        return self._last_close[0]

    def files(self) -> tuple[SpoolFile, ...]:
        """What the dock agent may fetch, by name."""
        with self._lock:
            return tuple(self._listed(name, known) for name, known in sorted(self._known.items()))

    def page(self, after: str | None, limit: int | None) -> Listing:
        """The files whose names follow `after`, so many that the answer fits into a line."""
        most = min(limit or PAGE_FILES, PAGE_FILES)
        with self._lock:
            names = sorted(name for name in self._known if after is None or name > after)
            files = tuple(self._listed(name, self._known[name]) for name in names[:most])
        return Listing(directory=str(self.directory), files=files, more=len(names) > most)

    def _listed(self, name: str, known: Known) -> SpoolFile:
        return SpoolFile(
            name=name,
            stream="log" if known.stream == "log" else "recording",
            number=known.number,
            bytes=known.facts.bytes,
            close_hash=known.facts.close_hash,
            upload_class=self.upload_class(known),  # type: ignore[arg-type]
            state="receipted" if self.receipt_path(name).exists() else "waiting",
            hold=known.hold or not self.appended.may_clean_up(name),
            category=self.appended.about(name.removesuffix(".evidence")).category,
        )

    def upload_class(self, known: Known) -> str:
        """That of its `open`, or the higher one of a category that it was given (R31)."""
        later = self.appended.about(known.facts.name.removesuffix(".evidence")).upload_class
        return "critical" if later == "critical" else known.upload_class

    def closed(self) -> list[Known]:
        """All closed files that were read so far."""
        with self._lock:
            return list(self._known.values())

    def closed_in(self, boot: str) -> list[Known]:
        """Closed recordings that were begun in that boot, oldest first."""
        with self._lock:
            found = [one for one in self._known.values() if one.stream == "recording" and one.begun.boot == boot]
        return sorted(found, key=lambda known: known.number)

    def receipted(self) -> list[Known]:
        """Closed files that have a receipt, recordings first, oldest first."""
        with self._lock:
            found = [known for name, known in self._known.items() if self.receipt_path(name).exists()]
        return sorted(found, key=lambda known: (known.stream == "log", known.number))

    def receipt_path(self, name: str) -> Path:
        """Where the receipt of a file is kept; it stays when the file goes."""
        return self.state / "receipts" / f"{name}.receipt.p7s"


def read_known(path: Path, facts: FileFacts | None = None) -> Known | None:
    """Facts of a closed file from its first and last statements; None if it is not closed or cannot be read.

    Nothing is verified here: these are this camera's own files. With `facts` the file is not read to its end.
    """
    opened: Open | None = None
    last: bytes = b""
    digest = hashlib.sha256()
    size = 0
    splitter = Splitter()
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
                size += len(chunk)
                for item in splitter.feed(chunk):
                    if isinstance(item, StatementBytes):
                        last = item.data
                        if opened is None:
                            first = decode(parse_signed(item.data, limit=STATEMENT_BYTES).payload)
                            opened = first if isinstance(first, Open) else None
                if facts is not None and opened is not None:
                    break
        if opened is None:
            return None
        if facts is None:
            if splitter.in_item or not isinstance(decode(parse_signed(last, limit=STATEMENT_BYTES).payload), Close):
                return None
            facts = FileFacts(
                name=path.name, bytes=size, sha256=digest.hexdigest(), close_hash=hashlib.sha256(last).hexdigest()
            )
    except (OSError, EvidenceError, NotEvidence) as error:
        log.warning("%s: %s", path.name, error)
        return None
    begun = Stamp(boot=opened.boot, mono_ns=opened.mono_ns, utc=opened.utc)
    return Known(
        opened.stream,
        opened.number,
        facts,
        opened.nonce,
        opened.upload_class,
        opened.hold,
        begun,
        opened.recipients,
        opened.camera.firmware_sha256,
    )


def close_hash_of(path: Path) -> str | None:
    """SHA-256 of the `close` that a file ends with; None if it does not. Nothing before the end is looked at."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - STATEMENT_BYTES))
            tail = file.read()
    except OSError as error:
        log.warning("%s: %s", path.name, error)
        return None
    at = tail.find(LONG_SEQUENCE)
    while at >= 0:
        data = tail[at:]
        if len(data) == 4 + int.from_bytes(data[2:4]):
            try:
                if isinstance(decode(parse_signed(data, limit=STATEMENT_BYTES).payload), Close):
                    return hashlib.sha256(data).hexdigest()
            except EvidenceError:
                pass  # these bytes only look like the begin of a statement
        at = tail.find(LONG_SEQUENCE, at + 1)
    return None

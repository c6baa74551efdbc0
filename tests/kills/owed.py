"""What a camera owes after its recorder died: every whole fragment that its files held at that instant, for ever.

A SIGKILL takes nothing out of the page cache: whatever was in a file when its writer died was written, and an
acknowledged fragment is a part of that. So each file's whole prefix must stand in it, byte for byte, after every later
start, until a receipt lets the file go.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from evidence import cms
from evidence.audit import audit
from evidence.audit_read import read_heap
from evidence.errors import EvidenceError
from evidence.handover import decode_receipt
from evidence.splitter import ObjectBytes, Splitter
from evidence.statements import AnyStatement, Close, Event, Open, Recovered, Sealed, decode
from evidence.trust import Trust
from evidence.verify import verify_file


@dataclass
class Held:
    """What one file holds, read without the product's own recovery: up to its last whole pair of word and object."""

    path: Path
    whole_bytes: int = 0
    sha256: str = hashlib.sha256(b"").hexdigest()
    """Of those bytes."""
    statements: list[AnyStatement] = field(default_factory=list)
    fragments: int = 0
    """Whole media objects that were announced…"""
    last_frame: int = -1
    """…and the number of the last frame in them."""

    @property
    def closed(self) -> bool:
        return bool(self.statements) and isinstance(self.statements[-1], Close)

    @property
    def opened(self) -> Open | None:
        first = self.statements[0] if self.statements else None
        return first if isinstance(first, Open) else None


def held(path: Path) -> Held:
    """Read a file that may end anywhere."""
    found, announced, splitter = Held(path), None, Splitter()
    data = path.read_bytes()
    try:
        for item in splitter.feed(data):
            if isinstance(item, ObjectBytes):
                if announced is None or item.sha256 != announced.sha256:
                    break
                found.whole_bytes = item.offset + item.size
                if announced.media is not None:
                    found.fragments += 1
                    found.last_frame = announced.media.first_frame + announced.media.frames - 1
                announced = None
                continue
            statement = decode(cms.parse_signed(item.data).payload)
            found.statements.append(statement)
            announced = statement if isinstance(statement, Sealed) else None
            if announced is None:
                found.whole_bytes = item.offset + len(item.data)
    except EvidenceError:
        pass  # the torn end
    found.sha256 = hashlib.sha256(data[: found.whole_bytes]).hexdigest()
    return found


@dataclass
class Owed:
    """Of one spool, over all lives of its recorder."""

    spool: Path
    trust: Trust
    archive: Path | None = None
    """Where files lie that the camera may have deleted: there with their receipt, in any case whole."""
    receipts: Path | None = None
    """Where the camera keeps the receipts that let files go."""
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Name -> bytes and their digest that must stay."""
    _closed: dict[tuple[str, int, int], Held] = field(default_factory=dict)

    def dead(self) -> tuple[list[Held], list[str]]:
        """Look at the spool of a dead recorder: its files, and what is missing of what was owed before."""
        wrong = self.missing()
        found: list[Held] = []
        for path in sorted(self.spool.glob("*.evidence")):
            with contextlib.suppress(FileNotFoundError):  # let go at this moment: this recorder lives
                found.append(self._held(path))
        for one in found:
            if one.opened is not None:
                self.files[one.path.name] = (one.whole_bytes, one.sha256)
        return found, wrong

    def _held(self, path: Path) -> Held:
        """As `held`; a closed file that has not changed since is not read again."""
        status = path.stat()
        key = (path.name, status.st_size, status.st_mtime_ns)
        if key not in self._closed:
            found = held(path)
            if not found.closed:
                return found
            self._closed[key] = found
        return self._closed[key]

    def missing(self) -> list[str]:
        """What of it is not there any more, or is another."""
        wrong = []
        for name, (size, digest) in self.files.items():
            try:
                kept = _first(self.spool / name, size)
            except FileNotFoundError:
                if (refusal := self._let_go(name, size)) is not None:
                    wrong.append(refusal)
                    continue
                assert self.archive is not None
                kept = _first(self.archive / name, size)
            if len(kept) < size or hashlib.sha256(kept).hexdigest() != digest:
                wrong.append(f"{name}: of {size} bytes that were written, {len(kept)} are there, or others")
        return wrong

    def _let_go(self, name: str, size: int) -> str | None:
        """Why a file that is not in the spool should be there; None if its receipt has let it go."""
        if self.archive is None or self.receipts is None or not (self.archive / name).exists():
            return f"{name} ({size} bytes) is neither on the camera nor in the archive"
        try:
            message = cms.parse_signed((self.receipts / f"{name}.receipt.p7s").read_bytes())
            self.trust.check(message, role="receipt")
            receipt = decode_receipt(message.payload)
        except (OSError, EvidenceError) as error:
            return f"{name} is gone from the camera without a receipt: {error}"
        digest = hashlib.sha256((self.archive / name).read_bytes()).hexdigest()
        if (receipt.verdict, receipt.sha256) != ("valid", digest):
            return f"{name} is gone for a receipt of {receipt.sha256} ({receipt.verdict}), the archive has {digest}"
        return None

    def recovering(self, dead: list[Held]) -> bool:
        """Whether a file that a death left open is not closed yet, nor set aside."""
        for one in dead:
            with contextlib.suppress(FileNotFoundError):  # set aside, maybe while we look
                if not held(one.path).closed:
                    return True
        return False

    def unrecovered(self, dead: list[Held]) -> list[str]:
        """What is wrong with the files that a death left open, once the next life has recovered them."""
        wrong = []
        for one in dead:
            if one.closed or (one.opened is None and not one.path.exists()):
                continue
            report = verify_file(one.path, self.trust)
            if not report.valid:
                wrong.append(f"{one.path.name} does not verify after its recovery: {report.findings[:2]}")
            elif report.recovered is None or report.closed is None:
                wrong.append(f"{one.path.name} was left open, and nothing says that it was recovered")
        return wrong

    def whole(self, *more: Path) -> list[str]:
        """What an audit of the spool (with a store and receipts, if there are any) and of the log's endings finds."""
        heap = read_heap([self.spool, *more], self.trust, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
        wrong = [f"{path}: {why}" for path, why in heap.broken]
        wrong += [str(finding) for one in audit(heap) for finding in one.findings if finding.kind != "unclosed"]
        wrong += [
            f"{one.name} is not closed"
            for one in heap.files
            if one.report.unclosed and one.opened.stream == "recording"
        ]
        events = [event for one in heap.files if one.opened.stream == "log" for event in one.gathered.events]
        return wrong + _endings(events, {one.number: one.recovered for one in heap.files if one.opened.stream != "log"})


def not_kept(dead: list[Held], frames: dict[str, int], closed: set[str]) -> list[str]:
    """What a recorder told before it died, and its files do not hold."""
    by_stem = {one.path.stem: one for one in dead}
    wrong = []
    for stem, frame in frames.items():
        last = by_stem[stem].last_frame if stem in by_stem else -1
        if last < frame:
            wrong.append(f"{stem}: frame {frame} was told to be durable, the file ends with frame {last}")
    return wrong + [f"{stem} was told to be closed" for stem in closed if stem in by_stem and not by_stem[stem].closed]


def _first(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _endings(events: list[Event], recordings: dict[int, bool]) -> list[str]:
    """Recordings of whose end, or of whose recovery, the log says nothing."""
    ended = {one.recording for one in events if one.event in ("recording_closed", "recording_recovered")}
    void = {one.recording for one in events if one.event == "recording_void"}
    wrong = [f"the log says nothing of the end of recording {one}" for one in recordings if one not in ended]
    return wrong + [f"recording {one} is here, and the log calls it void" for one in void if one in recordings]


def resumed(path: Path) -> int | None:
    """The number of the recording that this one goes on from."""
    try:
        opened = held(path).opened
    except FileNotFoundError:  # a recording without a beginning, which its camera has taken away meanwhile
        return None
    return None if opened is None else opened.resumes


def says_recovered(path: Path) -> bool:
    """Whether a file says of itself that it was recovered."""
    return any(isinstance(one, Recovered) for one in held(path).statements)

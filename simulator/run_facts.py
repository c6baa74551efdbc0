"""What all files of a run say, as facts for `simulator.claims`: those on the camera, those at the station.

Each file is read anew only when it has changed. Errors of a file are facts too: nothing is raised for bad evidence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.station.lost_cameras import FILE as LOST_FILE
from evidence.errors import EvidenceError
from evidence.export.decrypt import Vault
from evidence.statements import ClockStep, Event, Gap, MediaFacts, Open, Sealed
from evidence.trust import Trust
from evidence.verify import Report, verify_file
from simulator.claims import RecordingFacts, RunFacts
from simulator.layout import RunLayout
from simulator.measured import RECEIPT_SUFFIX, Contents, check_receipt, read_contents

CUT_REACHES_S: Final = 5.0
"""A cut took from a recording that had a picture so shortly before it."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One file as it was."""

    size: int
    mtime_ns: int
    report: Report
    contents: Contents


@dataclass
class RunFiles:
    """The files of one run."""

    layout: RunLayout
    _trust: Trust | None = None
    _vault: Vault | None = None
    _read: dict[Path, _Read] = field(default_factory=dict)
    _receipts: dict[Path, tuple[int, bool]] = field(default_factory=dict)

    @property
    def _quarantine(self) -> Path:
        return self.layout.station / "quarantine" / "store"

    def facts(self, cuts_ns: Sequence[int] = (), began_ns: int = 0) -> RunFacts:
        """What they say now. Raises OSError if the department itself cannot be read."""
        places = (*self.layout.stores, self._quarantine, self.layout.spool)
        found: dict[str, Path] = {}
        for place in reversed(places):  # of a file in several places the stored one counts
            found.update({path.name: path for path in sorted(place.glob("*.evidence"))})
        read = {name: one for name, path in sorted(found.items()) if (one := self._look(path)) is not None}
        problems = tuple(_problems(read, found, self.layout.spool))
        log = [
            (statement, one.contents)
            for name, one in read.items() if "-log-" in name
            for statement in one.contents.statements if isinstance(statement, Event)
        ]  # fmt: skip
        recordings = tuple(
            self._recording(name, one, [event for event, _ in log], cuts_ns)
            for name, one in read.items() if "-log-" not in name
        )  # fmt: skip
        return RunFacts(recordings, problems, self._lost(), began_ns)

    def _look(self, path: Path) -> _Read | None:
        """A file, from memory if it has not changed; None if it is gone."""
        try:
            stat = path.stat()
            known = self._read.get(path)
            if known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return known
            report = verify_file(path, self._trusted())
            contents = Contents((), ())
            with contextlib.suppress(EvidenceError):  # the report says what is wrong with it
                contents = read_contents(path, self._opener())
        except FileNotFoundError:
            return None
        self._read[path] = _Read(stat.st_size, stat.st_mtime_ns, report, contents)
        return self._read[path]

    def _trusted(self) -> Trust:
        if self._trust is None:
            self._trust = Trust.load(self.layout.pki / "root.pem")
        return self._trust

    def _opener(self) -> Vault:
        if self._vault is None:
            self._vault = Vault.load(self.layout.pki / "vault.pem", self.layout.pki / "vault.key")
        return self._vault

    def _recording(self, name: str, one: _Read, log: Sequence[Event], cuts_ns: Sequence[int]) -> RecordingFacts:
        report, contents = one.report, one.contents
        opened = next((one for one in contents.statements if isinstance(one, Open)), None)
        number = opened.number if opened is not None else -1
        media = [one.media for one in contents.statements if isinstance(one, Sealed) and one.media is not None]
        gaps = [one for one in contents.statements if isinstance(one, Gap)]
        opening, closing = _part(contents, "opening"), _part(contents, "closing")
        carries_on = opened is not None and (opened.resumes is not None or opened.continues is not None)
        stored = next(
            (path for store in self.layout.stores if (path := store / name).exists()), self.layout.store / name
        )
        return RecordingFacts(
            stem=name.removesuffix(".evidence"),
            valid=report.valid,
            findings=report.findings,
            closed=report.closed.reason if report.closed is not None else None,
            duration_s=report.duration_ns / 1e9,
            pre_event_s=_pre_event_s(contents, media),
            triggers=tuple(dict.fromkeys(str(one.get("name")) for one in contents.triggers)),
            labels=tuple(e.word for e in log if e.event == "labelled" and e.recording == number and e.word is not None),
            gaps=tuple(one.cause for one in gaps),
            failures=tuple(dict.fromkeys(_failures(closing, log, number))),
            told=tuple(dict.fromkeys(_told(contents))),
            degraded=tuple(map(str, opening.get("degraded") or ())),
            gps_fixes=report.gps_fixes,
            lost_s=sum((one.end_ns - one.start_ns) / 1e9 for one in gaps) + _cut_s(media, cuts_ns),
            sound=tuple((one.start_ns, one.start_ns + one.duration_ns, one.sound_frames) for one in media),
            muted_s=sum((until - since) / 1e9 for since, until in _rows(closing.get("mutes"))),
            linked=carries_on or bool(opening.get("after_pause")),
            carries_on=carries_on,
            time_unverified=(opened is not None and opened.utc.source == "none")
            or (report.times is not None and not report.times.claim_holds),
            recovered=report.recovered is not None,
            stored=stored.exists(),
            receipted=self._receipted(stored, report),
            quarantined=(self._quarantine / name).exists(),
            deleted=not (self.layout.spool / name).exists()
            and any(e.event == "tombstone" and e.file and e.file.name == name for e in log),
        )

    def _receipted(self, stored: Path, report: Report) -> bool:
        """A signed receipt lies beside it, and is about these very bytes."""
        receipt = stored.with_name(stored.name + RECEIPT_SUFFIX)
        try:
            mtime_ns = receipt.stat().st_mtime_ns
            if self._receipts.get(receipt, (0, False))[0] != mtime_ns:
                check_receipt(stored, report, self._trusted())
                self._receipts[receipt] = mtime_ns, True
        except (EvidenceError, OSError):
            return False
        return self._receipts[receipt][1]

    def _lost(self) -> bool:
        """The station's own book of lost cameras names one."""
        try:
            book = msgspec.json.decode((self.layout.station / LOST_FILE).read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return isinstance(book, dict) and bool(book.get("lost"))


def _problems(read: dict[str, _Read], found: dict[str, Path], spool: Path) -> Iterator[str]:
    """Files that do not verify. What is still being written has no end yet, and nothing else may be wrong."""
    newest = {
        kind: max((name for name in read if ("-log-" in name) is (kind == "log")), default="")
        for kind in ("log", "recording")
    }
    for name, one in read.items():
        growing = name in newest.values() and found[name].parent == spool and one.report.unclosed
        if not one.report.valid and not growing:
            yield f"{name}: {'; '.join(one.report.findings)}"
    yield from _unchained(read)


def _unchained(read: dict[str, _Read]) -> Iterator[str]:
    """Segments of the log that do not name the one before: one could have been taken out between them."""
    for before, after in pairwise(sorted(name for name in read if "-log-" in name)):
        opened = next((one for one in read[after].contents.statements if isinstance(one, Open)), None)
        first = next((one for one in read[before].contents.statements if isinstance(one, Open)), None)
        follows = opened is not None and first is not None and opened.number == first.number + 1
        if follows and opened is not None and opened.previous != read[before].report.close_hash:
            yield f"{after}: its `previous` is not the close hash of {before}"


def _part(contents: Contents, part: str) -> dict[str, Any]:
    return next((one for one in contents.metadata if one.get("part") == part), {})


def _pre_event_s(contents: Contents, media: Sequence[MediaFacts]) -> float:
    triggers = contents.triggers
    if not media or not triggers:
        return 0.0
    return max(0, min(int(one["at_ns"]) for one in triggers) - media[0].start_ns) / 1e9


def _told(contents: Contents) -> Iterator[str]:
    for one in contents.statements:
        if isinstance(one, Event):
            yield one.event
        elif isinstance(one, ClockStep):
            yield "clock"


def _failures(closing: dict[str, Any], log: Sequence[Event], number: int) -> Iterator[str]:
    yield from (str(row["cause"]) for row in closing.get("failures") or () if isinstance(row, dict) and "cause" in row)
    for event in log:
        if event.recording == number and event.event in ("failure_began", "failure_noted") and event.word:
            yield event.word


def _cut_s(media: Sequence[MediaFacts], cuts_ns: Sequence[int]) -> float:
    """What power cuts took from this recording: from its last durable picture to the cut."""
    if not media:
        return 0.0
    begin_ns, end_ns = media[0].start_ns, media[-1].start_ns + media[-1].duration_ns
    return sum(
        (cut - end_ns) / 1e9 for cut in cuts_ns if begin_ns <= end_ns <= cut and cut - end_ns < CUT_REACHES_S * 1e9
    )


def _rows(rows: Any) -> Iterator[tuple[int, int]]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == 2 and all(isinstance(one, int) for one in row):
            yield row[0], row[1]

"""The device log of one camera, as far as the heap has it: the thread along which an audit counts (invariant 9).

1. Segments are numbered from 1 without holes; one is absent lawfully only with tombstone and receipt, and then unknown.
2. Each segment's `previous` is the close hash of the segment before; only the newest may be unclosed.
3. Two files of one segment are the same, or one is an earlier copy of the other; anything else is a fork.
4. A witnessed head must stand in the log with that hash. A log that ends before it was rolled back.
5. Boots follow each other and never come back; within a boot the monotonic clock goes on.
6. The log is proven up to the newest witness it holds, if no rule is broken up to there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from evidence.audit_facts import CameraAudit, Found, Proven, Row, Witness
from evidence.handover import Receipt
from evidence.statements import Event, LogHead

TRUSTED_CLOCKS = frozenset({"gnss", "ntp", "dock"})


def spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Runs of successive numbers."""
    first: int | None = None
    last = 0
    for number in sorted(set(numbers)):
        if first is not None and number != last + 1:
            yield first, last
            first = None
        first, last = (number if first is None else first), number
    if first is not None:
        yield first, last


def holes(known: Iterable[int], top: int) -> Iterator[tuple[int, int]]:
    """Runs of numbers from 1 to `top` that are not known. Costs nothing for a number that a liar made huge."""
    after = 0
    for first, last in spans(known):
        if first > after + 1:
            yield after + 1, first - 1
        after = max(after, last)
    if after < top:
        yield after + 1, top


def named(what: str, first: int, last: int) -> str:
    return f"{what} {first}" if first == last else f"{what}s {first}-{last}"


class LogView:
    """Checks the segments and finds what else the audit asks of them."""

    def __init__(
        self,
        audit: CameraAudit,
        files: Sequence[Found],
        receipts: Sequence[Receipt],
        witnesses: Sequence[Witness],
        stores: frozenset[str],
    ) -> None:
        self.audit = audit
        self.stores = stores
        self.receipts = {one.number: one for one in receipts if one.stream == "log"}
        self.witnesses = witnesses
        self.segments: dict[int, Found] = {}
        self.bad: set[int] = set()
        """Segments that a finding is about."""
        self._choose(files)
        self.events: list[Event] = [
            event for number in sorted(self.segments) for event in self.segments[number].gathered.events
        ]
        self.boots = self._boots()
        self._count()
        self._link()
        self._order()
        self._hold_against_witnesses()

    @property
    def newest(self) -> Found | None:
        return self.segments[max(self.segments)] if self.segments else None

    def _bad(self, number: int, kind: str, text: str) -> None:
        self.audit.found(kind, f"log segment {number}", text)  # type: ignore[arg-type]
        self.bad.add(number)

    def _choose(self, files: Sequence[Found]) -> None:
        """One file for each number; rule 3."""
        for file in sorted(files, key=lambda one: (one.number, len(one.gathered.hashes))):
            known = self.segments.get(file.number)
            self.segments[file.number] = file
            if known is None:
                continue
            older, newer = known.gathered.hashes, file.gathered.hashes
            if known.report.sha256 == file.report.sha256:
                self.audit.notes.append(f"log segment {file.number} is present twice: {known.path}, {file.path}")
            elif newer[: len(older)] == older and known.close_hash is None:
                self.audit.notes.append(f"log segment {file.number}: {known.path} is an earlier copy of {file.path}")
            else:
                self._bad(file.number, "forked", f"{known.path} and {file.path} differ under one number")

    def _boots(self) -> list[str]:
        boots: list[str] = []
        for number in sorted(self.segments):
            boot = self.segments[number].opened.boot
            if boot in boots and boots[-1] != boot:
                self._bad(number, "out_of_order", "its boot had ended before: another boot's segment stands between")
            if boot not in boots:
                boots.append(boot)
        return boots

    def _count(self) -> None:
        """Rule 1, and the verdict on each file."""
        gone = {event.file.name for event in self.events if event.event == "tombstone" and event.file is not None}
        held = {
            number: one
            for number, one in self.receipts.items()
            if number not in self.segments and one.name in gone and one.store not in self.stores
        }
        top = max([*self.segments, *self.receipts, *(one.segment for one in self.witnesses)], default=0)
        for first, last in holes([*self.segments, *held], top):
            self.audit.found("missing", named("log segment", first, last), "not in this heap: what it says is unknown")
            self.bad.add(first)
            self.audit.rows.append(Row("log", first, last, "missing"))
        for first, last in spans(held):
            self.audit.holes = True
            self.audit.unknown.append(
                f"what {named('log segment', first, last)} says: deleted from the card, held by a store"
            )
            self.audit.rows.append(Row("log", first, last, f"held by {held[first].store}"))
        for number, file in self.segments.items():
            if file.report.unclosed:
                if number != max(self.segments):
                    self._bad(number, "unclosed", "its end is cut off, and later segments exist")
            elif not file.report.valid:
                self._bad(number, "not_valid", file.report.findings[0])

    def _link(self) -> None:
        """Rule 2."""
        for number, file in self.segments.items():
            before, previous = self.segments.get(number - 1), file.opened.previous
            if number == 1:
                expected: str | None = None
            elif before is not None:
                expected = before.close_hash
            elif number - 1 in self.receipts:
                expected = self.receipts[number - 1].close_hash
            else:
                continue
            if previous != expected and number - 1 not in self.bad:
                text = "follows another segment than the one that is here (`previous` is not its close hash)"
                self._bad(number, "forked", text if number > 1 else "the first segment names one before it")

    def _order(self) -> None:
        """Rule 5, and UTC where both sides name a source that somebody vouches for."""
        ordered = [self.segments[number] for number in sorted(self.segments)]
        for before, after in itertools.pairwise(ordered):
            if before.opened.boot == after.opened.boot and after.opened.mono_ns < before.last.mono_ns:
                self._bad(after.number, "out_of_order", "it begins before the segment before it ends")
            check_utc(self.audit, "log segment", before, after)

    def holds(self, segment: int, seq: int | None, digest: str) -> str | None:
        """Why the log does not hold that head; None if it does. Only for a segment that is here."""
        file = self.segments[segment]
        if seq is None:
            return None if file.close_hash == digest else "its last statement is not the one"
        hashes = file.gathered.hashes
        if seq >= len(hashes):
            return f"it ends with statement {len(hashes) - 1}, before statement {seq}"
        return None if hashes[seq] == digest else f"its statement {seq} is another than the one"

    def check_head(self, head: LogHead, by: str) -> bool:
        """Rule 4 for a head that the camera itself signed into a recording."""
        if head.segment not in self.segments:
            return False
        wrong = self.holds(head.segment, head.seq, head.hash)
        if wrong is not None:
            self._bad(head.segment, "rolled_back", f"{wrong} that {by} names")
        return wrong is None

    def _hold_against_witnesses(self) -> None:
        """Rule 4."""
        newest = max(self.segments, default=0)
        for one in self.witnesses:
            said = f"that the {one.by} of {one.at:%Y-%m-%d %H:%M:%S} UTC witnessed"
            if one.segment in self.segments:
                wrong = self.holds(one.segment, one.seq, one.hash)
                if wrong is not None:
                    kind = "rolled_back" if "ends with" in wrong or one.segment == newest else "forked"
                    self._bad(one.segment, kind, f"{wrong} {said}")
            elif one.segment > newest:
                self._bad(one.segment, "rolled_back", f"the log here ends before the statement {said}")

    def prove(self) -> Proven | None:
        """Rule 6; to be asked when everything else has been checked."""
        seen = [one for one in self.witnesses if one.segment in self.segments]
        seen = [one for one in seen if self.holds(one.segment, one.seq, one.hash) is None]
        for one in sorted(seen, key=lambda one: (one.segment, one.seq if one.seq is not None else 2**53), reverse=True):
            if any(number <= one.segment for number in self.bad):
                continue
            file = self.segments[one.segment]
            seq = one.seq if one.seq is not None else len(file.gathered.hashes) - 1
            at = max(
                (event.utc.latest for event in file.gathered.events if event.seq <= seq), default=file.opened.utc.latest
            )
            earlier = [other.at for other in seen if (other.segment, other.hash) == (one.segment, one.hash)]
            return Proven(LogHead(segment=one.segment, seq=seq, hash=one.hash), one.by, min(earlier), at)
        return None


def check_utc(audit: CameraAudit, what: str, before: Found, after: Found) -> None:
    """A later file that claims to be certainly older: a finding, unless a clock step or a weak source explains it."""
    last, first = before.last.utc, after.opened.utc
    if before.opened.boot == after.opened.boot and after.opened.mono_ns < before.last.mono_ns:
        return  # told already, by a clock that nobody can set
    if first.latest >= last.earliest or "none" in (last.source, first.source):
        return
    about = f"{what} {after.number}"
    text = f"claims to begin at {first.latest}, before {what} {before.number} ended ({last.earliest})"
    if before.gathered.clock_steps or after.gathered.clock_steps or not {last.source, first.source} <= TRUSTED_CLOCKS:
        audit.notes.append(f"{about} {text}: the camera's clock was set back")
    else:
        audit.found("out_of_order", about, text)

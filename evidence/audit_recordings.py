"""The recordings of one camera, held against its log and its receipts (the rules of `evidence.audit`, 1 to 5).

A recovered recording's end is unknown, and cut if the log of its boot goes on more than `DURABLE_NS` after it, or if
whole objects that no statement announced were appended to it: no crash leaves such.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from evidence.audit_facts import CameraAudit, Found, Row
from evidence.audit_log import LogView, check_utc, holes, named, spans
from evidence.handover import Receipt
from evidence.statements import Event, FileFacts, Open
from evidence.times import when, words

DURABLE_NS: Final = 5 * 10**9
"""The newest durable statement of a running recording is not older (invariant 3 says 2 s; a slow key needs more)."""


class Recordings:
    """The recordings of one camera against its log and its receipts."""

    def __init__(
        self,
        result: CameraAudit,
        log: LogView,
        files: Sequence[Found],
        receipts: Sequence[Receipt],
        stores: frozenset[str],
    ) -> None:
        self.result, self.log, self.stores = result, log, stores
        self.files: dict[int, Found] = {}
        self.receipts: dict[int, Receipt] = {}
        self.events: dict[int, list[Event]] = defaultdict(list)
        for event in log.events:
            if event.recording is not None:
                self.events[event.recording].append(event)
        of_recordings = [one for one in receipts if one.stream == "recording"]
        for receipt in sorted(of_recordings, key=lambda one: (one.verdict != "valid", one.store in stores)):
            known = self.receipts.setdefault(receipt.number, receipt)
            if known.sha256 != receipt.sha256:
                self._found("forked", receipt.number, "stations took in two contents under this number")
        for file in files:
            self._take(file)

    def _found(self, kind: str, number: int, text: str) -> None:
        self.result.found(kind, f"recording {number}", text)  # type: ignore[arg-type]

    def _take(self, file: Found) -> None:
        known = self.files.get(file.number)
        if known is None:
            self.files[file.number] = file
        elif known.report.sha256 == file.report.sha256:
            self.result.notes.append(f"recording {file.number} is present twice: {known.path}, {file.path}")
        elif known.gathered.hashes == file.gathered.hashes and (known.report.unclosed or file.report.unclosed):
            whole, cut = (file, known) if known.report.unclosed else (known, file)
            self.files[file.number] = whole
            self.result.notes.append(f"recording {file.number}: {cut.path} is a copy of {whole.path} that ends early")
        else:
            self._found("forked", file.number, f"{known.path} and {file.path} differ under one number")

    def check(self) -> None:
        """All rules."""
        self._count()
        for number, events in self.events.items():
            self._check_log(number, events)
        for number, file in self.files.items():
            self._check_file(number, file)
        self._order()

    # --- rule 1 -------------------------------------------------------------------------------------------------------

    def _count(self) -> None:
        void = {
            number for number, events in self.events.items() if any(one.event == "recording_void" for one in events)
        }
        held = {
            number: one
            for number, one in self.receipts.items()
            if number not in self.files and one.store not in self.stores
        }
        top = max([*self.files, *self.receipts, *self.events], default=0)
        for first, last in holes([*self.files, *held, *void], top):
            about = named("recording", first, last)
            said = sorted(
                {event.event for number in self.events if first <= number <= last for event in self.events[number]}
            )
            words_of_log = f"the log names it ({', '.join(said)})" if said else "the log does not name it"
            gone = [one.store for number, one in self.receipts.items() if first <= number <= last]
            text = (
                f"{gone[0]} gave a receipt for it but does not have it" if gone else "neither file nor receipt is here"
            )
            self.result.found("missing", about, f"{text}; {words_of_log}")
            self.result.rows.append(Row("recording", first, last, "missing"))
        for number, one in held.items():
            if one.verdict != "valid":
                why = one.findings[0] if one.findings else "no reason given"
                self._found("not_valid", number, f"{one.store} holds it, and found it not valid: {why}")
            deleted = any(event.event == "tombstone" for event in self.events[number])
            state = f"held by {one.store}" + (", deleted from the card" if deleted else "")
            issued = f"{words(when(one.issued))}, receipt of {one.station}"
            self.result.rows.append(Row("recording", number, number, state, not_later=issued))
        for first, last in spans(number for number in void if number not in self.files and number not in held):
            self.result.rows.append(Row("recording", first, last, "void"))

    # --- rule 2 -------------------------------------------------------------------------------------------------------

    def _closings(self, number: int) -> list[FileFacts]:
        ends = ("recording_closed", "recording_recovered")
        return [event.file for event in self.events[number] if event.event in ends and event.file is not None]

    def _check_log(self, number: int, events: Sequence[Event]) -> None:
        opened = [one for one in events if one.event == "recording_opened"]
        if len(opened) > 1 or len({facts.close_hash for facts in self._closings(number)}) > 1:
            self._found("forked", number, "the log opens or closes it twice: the number was used again")
        if opened and any(one.event == "recording_void" for one in events):
            self._found("missing", number, "the log opened it, and after a restart nothing of it was left")
        receipt, closings = self.receipts.get(number), self._closings(number)
        if receipt is not None and closings and receipt.sha256 != closings[-1].sha256:
            self._found("forked", number, f"{receipt.station} took in another content than the log closed")

    def _check_file(self, number: int, file: Found) -> None:
        report, closings, receipt = file.report, self._closings(number), self.receipts.get(number)
        if report.unclosed:
            self._found("unclosed", number, "it has no `close`: its end is cut, or it was still being written")
        elif not report.valid:
            self._found("not_valid", number, report.findings[0])
        if closings:
            facts = closings[-1]
            told = {"size": facts.bytes, "SHA-256": facts.sha256, "close hash": facts.close_hash}
            here = {"size": report.bytes, "SHA-256": report.sha256, "close hash": file.close_hash}
            wrong = [name for name in told if told[name] != here[name]]
            if wrong:
                self._found("differs", number, f"its {', '.join(wrong)} differ from what the log closed")
        if receipt is not None and receipt.sha256 != report.sha256:
            self._found("forked", number, f"{receipt.station} took in another content under this number")
        head = file.opened.log_head
        if head is not None:
            self.log.check_head(head, f"recording {number}")
        if not self.events[number]:
            self._check_unnamed(number, file)
        if file.recovered:
            self._check_recovered(number, file)

    # --- rules 3 and 4 ------------------------------------------------------------------------------------------------

    def _still_running_ns(self, number: int, file: Found) -> int:
        """How long after a recovered file's last statement the log still went on, until the next start."""
        last_ns, during = file.last.mono_ns, False
        for event in self.log.events:
            during |= event.event == "recording_opened" and event.recording == number
            if during and (event.event == "boot" or event.boot != file.opened.boot):
                break
            if during:
                last_ns = max(last_ns, event.mono_ns)
        return last_ns - file.last.mono_ns

    def _log_goes_on_ns(self, file: Found) -> int:
        """How long after the file's own last statement the log of the same boot was still written."""
        same = [one.last.mono_ns for one in self.log.segments.values() if one.opened.boot == file.opened.boot]
        return max(same, default=0) - file.last.mono_ns if same else 0

    def _check_unnamed(self, number: int, file: Found) -> None:
        if not self.log.segments:
            return
        boots = self.log.boots
        later = file.opened.boot in boots[:-1] or any(one > number and self.events[one] for one in list(self.events))
        if later or self._log_goes_on_ns(file) > DURABLE_NS:
            self._found("not_in_log", number, "the log goes on after it and does not name it")
        else:
            self.result.unknown.append(f"recording {number}: the log here ends before it")

    def _check_recovered(self, number: int, file: Found) -> None:
        recovered = file.report.recovered
        assert recovered is not None
        self.result.holes = True
        self.result.unknown.append(
            f"the end of recording {number} after {file.last.utc.latest}: it was recovered after a restart"
        )
        if recovered.orphans:
            self._found(
                "rolled_back",
                number,
                f"{recovered.orphans} bytes of whole objects that nothing announced followed it: no crash does that",
            )
        troubled = any(one.event == "failure_to_record" for one in self.events[number])
        after_ns = self._still_running_ns(number, file)
        if after_ns > DURABLE_NS and not troubled and not file.ended:
            self._found(
                "rolled_back",
                number,
                f"the log shows the camera at work {after_ns / 1e9:.0f} s after the last that this file holds",
            )

    # --- order --------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        ordered = [self.files[number] for number in sorted(self.files)]
        places = {boot: place for place, boot in enumerate(self.log.boots)}
        for before, after in itertools.pairwise(ordered):
            if _side_by_side(before.opened, after.opened):
                continue
            if before.opened.boot == after.opened.boot:
                if after.opened.mono_ns < before.opened.mono_ns:
                    self._found("out_of_order", after.number, f"it began before recording {before.number}")
                elif after.opened.mono_ns < before.last.mono_ns:
                    self._found("overlapping", after.number, f"it was opened before recording {before.number} ended")
            elif places.get(after.opened.boot, 10**9) < places.get(before.opened.boot, -1):
                self._found(
                    "out_of_order", after.number, f"the log has its boot before that of recording {before.number}"
                )
            check_utc(self.result, "recording", before, after)


def _side_by_side(before: Open, after: Open) -> bool:
    """Whether both were rightly open at one time: a file that goes on in another, or the cameras of one vehicle."""
    if before.boot != after.boot:
        return False
    return after.continues == before.number or (after.group is not None and after.group == before.group)

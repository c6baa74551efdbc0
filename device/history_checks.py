"""The self-test's rows `log_chain`, `last_session` and `backlog`: what the card tells about the time before (R8, R30).

Only the newest closed segment of the log is verified whole, with its links to both sides: that is quick, and older
ones were looked at when they were new, and by each station that took them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from device.boot import Unfinished
from device.selftest import Seen
from device.spool import close_hash_of
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import SpoolFile
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Open, decode
from evidence.trust import Trust
from evidence.verify import Report, file_name, verify_file

CLEAN: Final = frozenset({"shutdown", "docked"})
"""Reasons with which the log is closed when nothing went wrong."""


class LogHistory:
    """Reads this camera's own log on the card. Safe to use from several checks at once."""

    def __init__(self, spool: Path, serial: str, trust: Trust) -> None:
        self._spool = spool
        self._serial = serial
        self._trust = trust
        self._lock = threading.Lock()
        self._read: tuple[int, Report] | None = None

    def path(self, segment: int) -> Path:
        return self._spool / file_name(self._serial, "log", segment)

    def report(self, segment: int) -> Report:
        """The verifier's report on a closed segment, which never changes. Raises `EvidenceError`."""
        with self._lock:
            if self._read is None or self._read[0] != segment:
                self._read = segment, verify_file(self.path(segment), self._trust)
            return self._read[1]

    def judge_chain(self, newest: int) -> Seen:
        """The newest closed segment verifies, names the one before it, and is named by the one behind it."""
        limit = "verifies, and names the segment before"
        advice = "dock the camera and tell the supervisor: its log was damaged or changed"
        if newest == 0:
            return Seen("pass", "no segment is closed yet", limit)
        name = self.path(newest).name
        try:
            report = self.report(newest)
        except EvidenceError as error:
            return Seen("fail", str(error), limit, advice)
        if not report.valid or report.opened is None:
            return Seen("fail", f"{name}: {(*report.findings, 'not valid')[0]}", limit, advice)
        before = close_hash_of(self.path(newest - 1)) if self.path(newest - 1).exists() else None
        if before is not None and report.opened.previous != before:
            return Seen("fail", f"{name} does not name the segment before it", limit, advice)
        behind = opened_of(self.path(newest + 1))
        if behind is not None and behind.previous != report.close_hash:
            return Seen("fail", f"{name} is not named by the segment behind it", limit, advice)
        return Seen("pass", f"segment {newest} with {report.statements} statements holds", limit)

    def judge_last_session(self, first: int, unfinished: Unfinished | None, *, ran_out: bool = False) -> Seen:
        """How the time before this start ended; `first` is the number of the first segment of this start.

        `ran_out`: the battery was at its end when it was last read (R8).
        """
        limit = "shut down in order, nothing recovered"
        recovered = len(unfinished.recordings) if unfinished is not None else 0
        if not self.path(first - 1).exists():
            if recovered:
                return Seen("fail", f"{recovered} recordings were left open", limit, "tell the supervisor")
            return Seen("pass", "no earlier session on this card", limit)
        try:
            report = self.report(first - 1)
        except EvidenceError as error:
            return Seen("fail", str(error), limit, "tell the supervisor")
        reason = report.closed.reason if report.closed is not None else "nothing"
        clean = report.recovered is None and reason in CLEAN
        if clean and not recovered and not ran_out:
            return Seen("pass", f"ended by {reason}", limit)
        if ran_out:
            value = f"the battery ran out, {'and all was closed' if clean else 'and nothing was closed in order'}"
        else:
            value = f"ended by {reason}" if clean else "ended without a shutdown: power cut, crash or watchdog"
        if recovered:
            value += f"; {recovered} recording{'s' if recovered > 1 else ''} recovered"
        return Seen("fail", value, limit, "note it in the report; if it comes again, have the camera repaired")


def opened_of(path: Path) -> Open | None:
    """The `open` that a file begins with; None if there is none to be read yet."""
    splitter = Splitter()
    try:
        with path.open("rb") as file:
            for item in splitter.feed(file.read(STATEMENT_BYTES)):
                if isinstance(item, StatementBytes):
                    first = decode(cms.parse_signed(item.data, limit=STATEMENT_BYTES).payload)
                    return first if isinstance(first, Open) else None
    except (OSError, EvidenceError):
        return None
    return None


def judge_backlog(files: Sequence[SpoolFile], oldest_s: int | None, alarm_h: int) -> Seen:
    """Recordings that wait for a station's receipt; `oldest_s` is the running time that the oldest has waited."""
    limit = f"none older than {alarm_h} h of running time"
    waiting = [one for one in files if one.state == "waiting" and one.stream == "recording"]
    if not waiting:
        return Seen("pass", "nothing waits", limit)
    value = f"{len(waiting)} recordings, {sum(one.bytes for one in waiting) / 2**20:.0f} MiB"
    if oldest_s is not None:
        value += f", the oldest for {oldest_s / 3600:.1f} h"
        if oldest_s > alarm_h * 3600:
            return Seen("fail", value, limit, "dock the camera so that recordings are offloaded")
    return Seen("pass", value, limit)

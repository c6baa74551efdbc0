"""What becomes of a checked-out camera: the assignment reaches it, it leaves, it comes back (R10).

The recorder's word decides, as the agent reports it: a session that began, and that docking ended. The rules are
numbered in docs/design/checkout.md.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dock.station.bays import Bay
from dock.station.issues import Issue, IssueBook, State
from dock.station.part import Document
from evidence import cms
from evidence.commands import EndSession, sequence_at
from evidence.keys import Signer
from evidence.statements import encode_canonical, moment, moment_ns

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
_S: Final = 10**9
SETTLE_S: Final = 60
"""A report so long after the assignment is surely not from before it."""
DOUBT_S: Final = 30
"""How long a refusal waits for the camera's next report, which may say that the assignment was taken after all."""


class IssueWatch:
    """Follows the open issues. Calls block, from any thread."""

    def __init__(self, station: Station, issues: IssueBook) -> None:
        self._station = station
        self._issues = issues
        self.signer: Signer | None = None
        """Signs the end of a session; None without a desk."""
        self._lock = threading.Lock()
        self._refusals: dict[int, tuple[int, str]] = {}
        """Issue -> when its assignment was refused, and why."""
        self._endings: dict[str, tuple[int, bytes]] = {}
        """Camera -> issue that is over, and the command that says so."""
        self._ended: set[int] = set()

    def look(self) -> None:
        """Follow every open issue. Raises OSError, sqlite3.Error."""
        for issue in self._issues.open():
            bay = self._station.bays.look(issue.serial)
            if issue.state == "waiting":
                self._waiting(issue, bay)
            else:
                self._given(issue, bay)

    def _waiting(self, issue: Issue, bay: Bay | None) -> None:
        """Rule 8."""
        now_ns = self._station.utc_ns()
        refusal = self._refusals.get(issue.row)
        since_ns = refusal[0] if refusal is not None else issue.at_ns
        if bay is not None and bay.report.status.assigned and _at_ns(bay) > since_ns:
            self._issues.seen_out(issue)
            self._change(issue, "given", "assigned", f"camera {issue.serial}", {"known_by": "status"})
        elif refusal is not None and (now_ns - since_ns > DOUBT_S * _S or (bay is not None and _at_ns(bay) > since_ns)):
            self._refusals.pop(issue.row, None)
            self._change(issue, "refused", "assign_refused", f"camera {issue.serial}", {"why": refusal[1]})
        elif refusal is None and now_ns > self._pickup_ends_ns(issue):
            self._change(issue, "expired", "checkout_expired", f"station {self._station.config.station}", {})

    def _given(self, issue: Issue, bay: Bay | None) -> None:
        """Rule 9."""
        if bay is None or (at_ns := _at_ns(bay)) <= issue.at_ns:
            return
        status = bay.report.status
        if not status.docked or status.assigned:  # also before the recorder's answer was heard
            if not issue.out:
                self._issues.seen_out(issue)
        elif (issue.out and at_ns > issue.changed_ns) or at_ns > issue.changed_ns + SETTLE_S * _S:
            self.take_back(issue, "returned", f"camera {issue.serial}")

    def take_back(self, issue: Issue, state: State, who: str) -> None:
        """The camera is back (`returned`), or was not taken (`cancelled`)."""
        self._change(issue, state, "checkin" if state == "returned" else "checkout_cancelled", who, {})

    def documents(self, serial: str) -> Sequence[Document]:
        """The assignment that waits for a camera, or the end of a session that is over at the desk."""
        issue = self._issues.of(serial)
        if issue is not None:
            late = self._station.utc_ns() > self._pickup_ends_ns(issue)
            if issue.state != "waiting" or late or issue.row in self._refusals:
                return ()
            return (Document("command", issue.command),)
        ending = self._ending(serial)
        return (Document("command", ending),) if ending is not None else ()

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        """The recorder's word on one of ours."""
        issue = self._issues.of(serial)
        if issue is not None and issue.command == document.data:
            if issue.state != "waiting":
                return  # the camera's status was faster
            if error is None:
                self._change(issue, "given", "assigned", f"camera {serial}", {"known_by": "answer"})
            else:
                self._refusals[issue.row] = (self._station.utc_ns(), error)
                self.look()
            return
        with self._lock:
            row, command = self._endings.pop(serial, (0, b""))
            if command == document.data:
                self._ended.add(row)
        if error is not None:
            log.warning("%s refused the end of its session: %s", serial, error)

    def _ending(self, serial: str) -> bytes | None:
        """Signed once for each issue that is over while its camera, in the dock, still has the officer (rule 9)."""
        bay = self._station.bays.look(serial)
        over = self._issues.history(serial, 1)
        if self.signer is None or bay is None or not over or over[0].state not in ("returned", "cancelled"):
            return None
        status, last = bay.report.status, over[0]
        if not (status.docked and status.assigned) or _at_ns(bay) <= last.changed_ns or last.row in self._ended:
            return None
        with self._lock:
            row, command = self._endings.get(serial, (0, b""))
            if row != last.row:
                command = self._sign_end(serial, self.signer)
                self._endings[serial] = (last.row, command)
            return command

    def _sign_end(self, serial: str, signer: Signer) -> bytes:
        now_ns = self._station.utc_ns()
        now = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=now_ns // 1000)
        end = EndSession(v=1, serial=serial, sequence=sequence_at(now), issued=moment(now_ns))
        return cms.sign(encode_canonical(end), signer, now)

    def _pickup_ends_ns(self, issue: Issue) -> int:
        settings = self._station.config.desk
        return issue.at_ns + (settings.pickup_minutes * 60 * _S if settings is not None else 0)

    def _change(self, issue: Issue, state: State, step: str, who: str, details: dict[str, str]) -> None:
        if not self._issues.change(issue, state, self._station.utc_ns()):
            return
        self._refusals.pop(issue.row, None)
        told = {"officer": issue.officer, "shift": issue.shift, **details}
        self._station.custody.enter(step, who=who, serial=issue.serial, details=told)
        self._station.tell("checkout", issue.serial)


def _at_ns(bay: Bay) -> int:
    return moment_ns(bay.at)

"""The supervisor's periodic inspection: the extended test, signed into the log with its next-due date (R37).

It runs every check with a larger probe of the card and all of the log, drives each indicator in turn, measures the
key, and asks for each line: who inspects presses it within a time. Lines are real all the while: what starts a
recording starts one, which is kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from device.inspection_steps import Steps
from device.key_checks import now_of
from device.part import Part
from device.selftest import Check, Seen, SelfTest, verdict_of
from device.state_file import StateUnreadable, read_state, write_state
from evidence.statements import Frozen, Moment, moment, moment_ns
from hal.clock import UtcClaim

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.inspection")

FILE_BYTES: Final = 4096
DAY_S: Final = 86_400


class Inspected(Frozen, frozen=True, kw_only=True):
    """The last inspection, kept in the state directory; the signed word about it stands in the log."""

    v: Literal[1]
    at: Moment | None
    """None if nobody vouched for the clock."""
    verdict: Literal["pass", "warn", "block"]


def due(at: str, days: int) -> dt.datetime:
    """When the next inspection is due."""
    return dt.datetime.fromtimestamp(moment_ns(at) // 10**9, dt.UTC) + dt.timedelta(days=days)


def judge_inspection(last: Inspected | None, days: int, claim: UtcClaim) -> Seen:
    """The row `inspection`. Pure."""
    limit, advice = f"every {days} days", "a supervisor runs: firsthand-device selftest --extended"
    if days == 0:
        return Seen("not_present", "the policy asks for none", "not asked", expected=False)
    if last is None:
        return Seen("fail", "never inspected", limit, advice)
    if last.at is None:
        return Seen("fail", "inspected when nobody vouched for the clock", limit, advice)
    next_due = due(last.at, days)
    value = f"{last.verdict} on {last.at[:10]}, next due {next_due:%Y-%m-%d}"
    if claim.source == "none":
        return Seen("warn", f"{value}; nobody vouches for the clock now", limit, "dock the camera to set its clock")
    late_s = (now_of(claim) - next_due).total_seconds()
    if late_s > 0:
        return Seen("fail", f"{value}, overdue for {int(late_s // DAY_S)} days", limit, advice)
    return Seen("pass", value, limit)


class Inspection(Part):
    """Runs the extended test, and remembers when it was."""

    name = "inspection"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self.last: Inspected | None = None
        self._path = Path(daemon.settings.state) / "inspection.json"

    def begin(self) -> None:
        try:
            self.last = read_state(self._path, Inspected, FILE_BYTES)
        except StateUnreadable as error:
            log.error("%s: an inspection is due", error)

    def checks(self) -> Sequence[Check]:
        daemon = self.daemon
        days = daemon.profile.profile.inspection_days
        return (("inspection", lambda: judge_inspection(self.last, days, daemon.clock.utc())),)

    def start(self, supervisor: str, command_sha256: str) -> str | None:
        """Begin the extended test for a signed command; a sentence if that cannot be. Nobody waits for its end."""
        if self.daemon.machine.testing:
            return "a self-test is under way: wait for it"
        self.daemon.spawn(self.run(supervisor, command_sha256))
        return None

    async def run(self, supervisor: str, command_sha256: str | None = None) -> SelfTest | None:
        """The extended test; None while another test is under way."""
        daemon = self.daemon
        if daemon.machine.testing:
            return None
        daemon.publish("inspection", "began")
        claim = daemon.clock.utc()
        steps = Steps(daemon)
        test = await daemon.examination.tested(steps.all)
        rows = (*test.results, *steps.rows)
        whole = SelfTest(rows, verdict_of(rows))
        for row in steps.rows:
            if row.result == "fail":  # it blocks the camera as a check of the plain test does
                daemon.examination.add_row(row)
        self.last = Inspected(
            v=1, at=moment(claim.middle_ns) if claim.source != "none" else None, verdict=whole.verdict
        )
        await asyncio.to_thread(self._keep, self.last)
        daemon.log(
            "inspection",
            word=whole.verdict,
            object_sha256=command_sha256,
            details={"supervisor": supervisor, **self._facts(whole), "signed_command": command_sha256 is not None},
        )
        daemon.publish("inspection", whole.verdict)
        return whole

    def _facts(self, test: SelfTest) -> dict[str, Any]:
        days = self.daemon.profile.profile.inspection_days
        at = self.last.at if self.last is not None else None
        return {
            "id": self.daemon.examination.id,
            "checks": [one.row() for one in test.results],
            "next_due": f"{due(at, days):%Y-%m-%d}" if days and at is not None else None,
        }

    def _keep(self, inspected: Inspected) -> None:
        try:
            write_state(self._path, inspected)
        except OSError as error:  # the log has it
            log.error("inspection.json: %s", error)

"""When the self-test runs, and what follows from it for the camera and the recording in progress (R8, R9)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from device.checks import bench_of
from device.selftest import Check, Result, SelfTest, run, self_test_id, with_row
from device.states import Event
from device.verdict import Bound, Override, Overrides, expired_because

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.selftest")


class Examination:
    """The self-test of one camera, its last result, and what that result holds for. Loop only."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.last: SelfTest | None = None
        self.id: str | None = None
        self.expired: str | None = None
        """Why the last verdict holds no longer, in one word; None while it holds."""
        self.overrides = Overrides(daemon.profile.profile.supervisor_override)
        self._bound: Bound | None = None
        self._suspected: str | None = None
        """Why the verdict seemed expired a second ago: a test that is about to begin must not be preceded by that."""

    # --- the test -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the self-test in threads; recording is possible all the while (invariant 1)."""
        if not self._daemon.machine.testing:
            await self.tested(lambda: asyncio.to_thread(run, self.all_checks(), self._daemon.profile))

    def all_checks(self) -> list[Check]:
        """The checks of the daemon and of all its parts."""
        bench = bench_of(self._daemon.hardware, self._daemon.profile.profile, self._daemon.recorder)
        return [*bench.checks(), *self._daemon.checks()]

    async def tested(self, work: Callable[[], Awaitable[SelfTest]]) -> SelfTest:
        """Do the work of a self-test, and whatever follows from its result. None must be under way."""
        daemon = self._daemon
        daemon.change(Event.SELF_TEST_BEGAN)
        try:
            test = await work()
        except BaseException:
            daemon.change(Event.SELF_TEST_DONE, blocked=bool(self.left))
            raise
        self.take(test)
        daemon.change(Event.SELF_TEST_DONE, blocked=bool(self.left))
        daemon.signals.show(daemon.machine.state)
        daemon.publish("self_test", test.verdict)
        self._tell_left()
        return test

    def take(self, test: SelfTest) -> None:
        """Keep a result as the last one, bound to officer, shift and boot, and sign it into the log."""
        daemon = self._daemon
        self.last, self._bound, self.expired = test, self._present(), None
        self.id = self_test_id(test, daemon.clock.boot_id, daemon.clock.boottime_ns())
        details = {
            "id": self.id,
            "checks": [one.row() for one in test.results],
            "officer": self._bound.officer,
            "shift": self._bound.shift,
            "overridden": list(self.overrides.components),
        }
        daemon.log("self_test", word=test.verdict, details=details)
        for one in test.results:
            if one.result not in ("pass", "not_present"):
                log.warning("self-test: %s %s: %s (%s)", one.name, one.result, one.value, one.advice)
        session = daemon.recorder.session
        if session is not None and test.verdict == "block":  # it began before anybody knew
            daemon.recorder.event("degraded", "self_test", {"self_test": self.id, "failed": list(test.failed)})
            daemon.log("degraded", recording=session.file.number, word="self_test")

    def add_row(self, row: Result) -> None:
        """One more row of the last result, for what is found out after it; whoever found it has logged it."""
        if self.last is None:
            return
        before, self.last = self.last, with_row(self.last, row)
        if self.last.verdict != before.verdict:
            self._daemon.publish("self_test", self.last.verdict)
            self._settle()

    async def now(self) -> SelfTest | None:
        """Run a self-test for a technician; None while one is under way."""
        if self._daemon.machine.testing:
            return None
        await self.run()
        return self.last

    def extended(self, supervisor: str, command_sha256: str) -> str | None:
        """Begin a supervisor's extended test (R37) for a signed command; a sentence if that cannot be."""
        from device.inspection import Inspection

        return self._daemon.part(Inspection).start(supervisor, command_sha256)

    # --- what the verdict holds for -------------------------------------------------------------------------------

    @property
    def left(self) -> tuple[str, ...]:
        """The components for which this camera must not be used (R9), overrides taken off."""
        return self.overrides.left(self.last)

    def look(self, now_ns: int) -> None:
        """Notice that the verdict has expired, or that an override has outlived its shift. About once a second."""
        daemon = self._daemon
        if self.overrides.outlived(now_ns):
            self.end_overrides("shift_over")
        if self._bound is None or self.expired is not None or daemon.machine.testing or daemon.machine.docked:
            return  # at the dock the next officer's test is still to come
        found = expired_because(self._bound, self._present())
        suspected, self._suspected = self._suspected, found
        if found is not None and found == suspected:
            self.expired = found
            log.warning("the self-test's verdict has expired: %s", self.expired)
            daemon.log("self_test_expired", word=self.expired, details={"id": self.id})
            daemon.publish("self_test_expired", self.expired)

    def _present(self) -> Bound:
        clock = self._daemon.clock
        return Bound(clock.boot_id, self._assigned("officer"), self._assigned("shift"), clock.boottime_ns())

    def _assigned(self, what: str) -> str | None:
        """What the part that knows the officer says, on a camera that has one."""
        part = next((one for one in self._daemon.parts if one.name == "assignment"), None)
        value: Any = getattr(part, what, None)
        return value if isinstance(value, str) else None

    # --- a supervisor's override ------------------------------------------------------------------------------------

    def override(self, component: str, supervisor: str, command_sha256: str) -> str | None:
        """Put a camera into service although `component` failed, for this shift; a sentence if that is refused.

        Whoever calls has checked the supervisor's signed command, whose SHA-256 goes into the log.
        """
        daemon = self._daemon
        if daemon.machine.testing:
            return "a self-test is under way: wait for its verdict"
        refused = self.overrides.refusal(component, self.left)
        if refused is not None:
            return refused
        self.overrides.add(Override(component, supervisor, command_sha256, daemon.clock.boottime_ns()))
        details = {"supervisor": supervisor, "self_test": self.id, "given": self.overrides.given}
        daemon.log("override", word=component, object_sha256=command_sha256, details=details)
        daemon.publish("override", component)
        self._settle()
        return None

    def end_overrides(self, why: str) -> None:
        """The shift that they were given for is over: dock, end of session, or 16 h."""
        ended = self.overrides.end()
        for one in ended:
            self._daemon.log(
                "override_ended", word=one.component, object_sha256=one.command_sha256, details={"why": why}
            )
        if ended:
            self._settle()

    def _settle(self) -> None:
        """Put the camera into or out of service as the last verdict and the overrides say."""
        daemon = self._daemon
        if not daemon.machine.testing and daemon.machine.blocked != bool(self.left):
            daemon.change(Event.VERDICT_CHANGED, blocked=bool(self.left))
        self._tell_left()

    def _tell_left(self) -> None:
        """R9: such a camera must not be checked out, and the supervisor is told which component it is."""
        for component in self.left:
            self._daemon.log("out_of_service", word=component, details={"self_test": self.id})
        if self.left:
            self._daemon.publish("out_of_service", ",".join(self.left))

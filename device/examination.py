"""When the self-test runs, and what follows from it for the camera and the recording in progress (R8, R9)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from device.checks import Bench, bench_of
from device.selftest import SelfTest, run, self_test_id
from device.states import Event

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.selftest")


class Examination:
    """The self-test of one camera and its last result. Loop only."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.last: SelfTest | None = None
        self.id: str | None = None

    async def run(self) -> None:
        """Run the self-test in a thread; recording is possible all the while (invariant 1)."""
        daemon = self._daemon
        if daemon.machine.testing:
            return
        daemon.change(Event.SELF_TEST_BEGAN)
        self.last = test = await asyncio.to_thread(run, [*self._bench().checks(), *daemon.checks()], daemon.profile)
        self.id = self_test_id(test, daemon.clock.boot_id, daemon.clock.boottime_ns())
        details = {"id": self.id, "checks": [one.row() for one in test.results]}
        daemon.log("self_test", word=test.verdict, details=details)
        for one in test.results:
            if one.result != "pass":
                log.warning("self-test: %s %s: %s (%s)", one.name, one.result, one.value, one.advice)
        session = daemon.recorder.session
        if session is not None and test.verdict == "block":  # it began before anybody knew
            daemon.recorder.event("degraded", "self_test", {"self_test": self.id, "failed": list(test.failed)})
            daemon.log("degraded", recording=session.file.number, word="self_test")
        daemon.change(Event.SELF_TEST_DONE, blocked=test.verdict == "block")
        daemon.signals.show(daemon.machine.state)
        daemon.publish("self_test", test.verdict)

    async def now(self) -> SelfTest | None:
        """Run a self-test for a technician; None while one is under way."""
        if self._daemon.machine.testing:
            return None
        await self.run()
        return self.last

    def _bench(self) -> Bench:
        daemon = self._daemon
        return bench_of(daemon.hardware, daemon.profile.profile, daemon.recorder)

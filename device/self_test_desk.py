"""Answers a technician's request for a self-test: the plain one, with the test clip, or the extended one (R8, R37)."""

from __future__ import annotations

from device.inspection import Inspection
from device.part import Part
from device.selftest import SelfTest
from device.spoken_clip import SpokenClip
from evidence.handover import Answer, Refused, SelfTestDone
from evidence.requests import Request, SelfTestRequest

BUSY = "a self-test is under way: wait for it"


class SelfTestDesk(Part):
    """Runs what was asked for, and answers with the rows."""

    name = "self_test_desk"

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, SelfTestRequest):
            return None
        if request.extended:
            if request.supervisor is None:
                return Refused(error="the extended test needs the supervisor's name")
            test = await self.daemon.part(Inspection).run(request.supervisor)
            return Refused(error=BUSY) if test is None else _done(test)
        if await self.daemon.examination.now() is None:
            return Refused(error=BUSY)
        if request.clip:
            refused = await self.daemon.part(SpokenClip).record()
            if refused is not None:
                return Refused(error=refused)
        last = self.daemon.examination.last
        return Refused(error=BUSY) if last is None else _done(last)


def _done(test: SelfTest) -> SelfTestDone:
    return SelfTestDone(verdict=test.verdict, checks=tuple(one.row() for one in test.results))

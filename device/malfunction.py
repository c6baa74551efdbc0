"""A malfunction, damage or loss reported by a person in one action (R11).

The component stands in the open, what the person wrote is sealed; the log's entry is what the supervisor's queue and
the docking station take it from, so that it is kept until it is told.
"""

from __future__ import annotations

import asyncio
from typing import Final

from device import indicators as patterns
from device.assignment import Assignment
from device.part import Part
from evidence.handover import Answer, Done
from evidence.requests import ReportRequest, Request

DRAIN_S: Final = 5.0


class Malfunction(Part):
    """Answers `firsthand-device report`."""

    name = "malfunction"

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, ReportRequest):
            return None
        daemon = self.daemon
        session, assignment = daemon.recorder.session, daemon.part(Assignment)
        number = session.file.number if session is not None else None
        details = {
            "symptom": request.symptom,
            "self_test": daemon.examination.id,
            "officer": assignment.officer,
            "shift": assignment.shift,
            "log_segment": daemon.boot.device_log.segment,
        }
        daemon.log("malfunction", word=request.component, recording=number, details=details)
        daemon.recorder.event("malfunction", request.component, {"symptom": request.symptom})
        daemon.signals.play(patterns.MARKED)
        stem = session.file.stem if session is not None else None
        daemon.publish("malfunction", request.component, stem)
        await asyncio.to_thread(daemon.writer.drain, DRAIN_S)  # the log has it before anybody is told
        return Done()

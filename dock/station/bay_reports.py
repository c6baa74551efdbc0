"""POST /report: what a camera's agent tells of its camera, kept for the page and for checkout (R30, R39).

The agent's word only: no receipt and no deletion depends on it. A file that a camera has to keep is entered in the
custody ledger when it is first told of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.bay_report import REPORT_BYTES, BayReport
from dock.station.bays import Bay
from dock.station.known import known
from dock.station.part import StationPart
from dock.station.tus_words import Body
from dock.tls import Peer
from evidence.statements import moment

log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(BayReport)


def decode_report(data: bytes) -> BayReport:
    """A report from its JSON. Raises ValueError with one sentence."""
    if len(data) > REPORT_BYTES:
        raise ValueError(f"a report has at most {REPORT_BYTES} bytes")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a report: {error}") from error


class BayReports(StationPart):
    """Takes reports into the book of bays."""

    name = "bay_reports"

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/report", known(self._take), methods=["POST"])]

    async def _take(self, request: Request) -> Response:
        peer: Peer = request.state.peer
        data = await Body(request, self.station.config.limits.idle_s).read(REPORT_BYTES + 1)
        try:
            report = decode_report(data)
        except ValueError as error:
            raise HTTPException(413 if len(data) > REPORT_BYTES else 400, str(error)) from error
        if report.status.serial != peer.serial:
            raise HTTPException(403, "a camera reports of itself alone")
        address = request.client.host if request.client is not None else "unknown"
        bay = Bay(serial=peer.serial, at=moment(self.station.utc_ns()), address=address, report=report)
        await asyncio.to_thread(self._note, bay)
        self.station.tell("bay", peer.serial)
        return Response(status_code=204)

    def _note(self, bay: Bay) -> None:
        before = self.station.bays.note(bay)
        told = {(one.name, one.verdict) for one in before.report.kept} if before is not None else set()
        for one in bay.report.kept:
            if (one.name, one.verdict) not in told:
                self.station.custody.enter(
                    "kept_on_camera",
                    who=f"camera {bay.serial}",
                    serial=bay.serial,
                    name=one.name,
                    details={"verdict": one.verdict, "reason": one.reason, "since": one.since},
                )
                self.station.tell("kept", bay.serial)

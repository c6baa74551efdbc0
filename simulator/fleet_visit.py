"""One docking of a simulated camera, with the agent's own client: greeting, upload, receipt, and its check."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from dock.agent.greeting import check_receipt, greet
from dock.config_base import Tls
from dock.errors import ReceiptNotReady, StationBusy, StationUnreachable
from dock.tls import client_context
from dock.transport.https import StationLink, refuse
from dock.transport.transport import Outgoing
from dock.transport.tus import TusTransport
from evidence.handover import SpoolFile
from evidence.trust import Trust
from simulator.fleet_camera import FleetCamera

CHUNK_BYTES: Final = 4 * 2**20
_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.2
_PATIENCE_S: Final = 900.0
_T = TypeVar("_T")


@dataclass
class Visit:
    """What came of one docking."""

    serial: str
    files: int = 0
    bytes: int = 0
    valid: int = 0
    """Receipts that say `valid`, checked as the recorder would."""
    waits: int = 0
    """How often the station asked for patience."""
    seconds: float = 0.0
    trouble: list[str] = field(default_factory=list)


def dock(camera: FleetCamera, files: Sequence[SpoolFile], url: str, system_id: str, trust: Trust, tls: Tls) -> Visit:
    """Empty the camera. Never raises what a station may do: it stands in `trouble`."""
    visit = Visit(camera.serial)
    began = time.monotonic()
    link = StationLink(url, client_context(tls), _TIMEOUT_S)
    try:
        greeted = _patiently(
            visit,
            partial(greet, link, trust, serial=camera.serial, system_id=system_id, now=None, log_head=None),
        )
        transport = TusTransport(link)
        for file in files:
            announced = Outgoing(file.name, file.bytes, file.close_hash)
            address = _patiently(visit, partial(transport.create, announced))
            _send(visit, camera, file, transport, address)
            signed = _patiently(visit, partial(_receipt, link, transport, address))
            receipt = check_receipt(signed, file, trust, serial=camera.serial, system_id=system_id, at=greeted.at)
            visit.files += 1
            visit.bytes += file.bytes
            visit.valid += receipt.verdict == "valid"
    except Exception as error:  # noqa: BLE001 - two hundred cameras: each one's trouble is told at the end
        visit.trouble.append(f"{type(error).__name__}: {error}")
    finally:
        link.close()
    visit.seconds = time.monotonic() - began
    return visit


def _send(visit: Visit, camera: FleetCamera, file: SpoolFile, transport: TusTransport, address: str) -> None:
    offset = _patiently(visit, partial(transport.offset, address)).offset
    descriptor = os.open(camera.spool / file.name, os.O_RDONLY)
    try:
        while offset < file.bytes:
            data = os.pread(descriptor, CHUNK_BYTES, offset)
            offset = _patiently(visit, partial(transport.append, address, offset, data))
    finally:
        os.close(descriptor)


def _receipt(link: StationLink, transport: TusTransport, address: str) -> bytes:
    where = transport.offset(address).receipt
    if where is None:
        raise ReceiptNotReady(address)
    answer = link.call("GET", where)
    refuse(answer, f"fetching {where}")
    return answer.body


def _patiently(visit: Visit, call: Callable[[], _T]) -> _T:
    """Do it until the station has time, as the agent does. Raises what else it raises."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return call()
        except ReceiptNotReady:
            wait_s = _POLL_S
        except StationBusy as error:
            visit.waits += 1
            wait_s = error.retry_after_s
        except StationUnreachable:
            visit.waits += 1
            wait_s = 1.0
        if time.monotonic() > until:
            raise TimeoutError(f"the station had no time for {_PATIENCE_S:.0f} s")
        time.sleep(wait_s)

"""Hands a signed release to docked cameras that have nothing else to do (R38: evidence goes first).

The manifest is a document like others; the bundle, which may be large, is fetched in ranges (`GET /updates/SHA256`).
The rules stand in docs/dock-desk.md, "Updates".
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.station.bays import Bay
from dock.station.checkout import STALE_S, age_s
from dock.station.checkout_desk import CheckoutDesk
from dock.station.known import known
from dock.station.part import Document, StationPart
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.release import Bundle, Release, read_release, update_fault
from evidence.trust import Trust

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
MANIFEST: Final = "release.p7s"
LEAST_PERCENT: Final = 50
PIECE_BYTES: Final = 2**20
_LASTING: Final = ("staged", "installed", "failed", "confirmed", "rolled_back")
"""Phases that stand in the ledger."""
_RANGE: Final = re.compile(r"bytes=([0-9]{1,12})-([0-9]{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offered:
    """A release whose bundle lies beside its manifest, whole."""

    release: Release
    bundle: Bundle
    path: Path
    document: Document


def read_offer(directory: Path, trust: Trust) -> Offered:
    """The release in a directory; its bundle is read from end to end. Raises `EvidenceError`, ValueError, OSError."""
    with (directory / MANIFEST).open("rb") as file:
        data = file.read(SIGNED_DOCUMENT_BYTES + 1)
    if len(data) > SIGNED_DOCUMENT_BYTES:
        raise ValueError(f"{MANIFEST} is larger than {SIGNED_DOCUMENT_BYTES} bytes")
    release = read_release(data, trust)
    bundle = release.bundle
    if bundle is None:
        raise ValueError(f"{MANIFEST} names no bundle: sign it with --bundle")
    path = directory / bundle.name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != bundle.sha256 or path.stat().st_size != bundle.bytes:
        raise ValueError(f"{bundle.name} is not the bundle that the manifest names")
    return Offered(release, bundle, path, Document("update", data))


def not_now(bay: Bay, age: int, release: Release, issued_to: str | None) -> str | None:
    """Why this camera is not offered the release now; None if it is. Unknown is no. Pure."""
    report, status = bay.report, bay.report.status
    offloading = report.offloading or status.offloading
    if not status.docked or status.state != "docked" or age > STALE_S:
        return "it is not idle in the dock"
    if issued_to is not None or status.assigned:
        return "it is checked out"
    if status.seized:
        return "it is in a supervisor's custody"
    if offloading is None or offloading.files:
        return "files wait for their receipt"
    if (status.battery_percent or 0) < LEAST_PERCENT and not status.charging:
        return f"its charge is below {LEAST_PERCENT} % and it is not charging"
    if report.update is not None and report.update.version == release.version:
        return f"it has it already: {report.update.phase}"
    return update_fault(release, model=status.model, firmware=status.firmware)


class UpdateShelf(StationPart):
    """The shelf. A manifest that is replaced is read again."""

    name = "updates"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._offer: Offered | None = None
        self.trouble: str | None = None
        """Why nothing is offered although `[desk] updates` names a directory."""
        self._refused: set[tuple[str, str]] = set()
        self._noted: set[tuple[str, str, str]] = set()
        self._reported: asyncio.Queue[str] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def newest_firmware(self) -> str | None:
        """What cameras should run, for checkout and the page."""
        offer = self._offer
        return offer.release.version if offer is not None else None

    def newest(self) -> Offered | None:
        """The release that cameras should have (a thread). A new one is read whole, which may take a while."""
        settings = self.station.config.desk
        if settings is None or settings.updates is None:
            return None
        if not self._lock.acquire(blocking=False):
            return self._offer  # somebody reads a new one, which takes a while: nobody waits for that
        try:
            try:
                stat = (settings.updates / MANIFEST).stat()
                seen = (stat.st_mtime_ns, stat.st_size)
                if seen != self._seen:
                    self._offer, self._seen, self.trouble = None, seen, None
                    self._offer = read_offer(settings.updates, self.station.trust)
            except (EvidenceError, ValueError, OSError) as error:
                told = f"the release in desk.updates {settings.updates} is offered to nobody: {error}"
                if told != self.trouble:
                    log.error("%s", told)
                    self.trouble = told
            return self._offer
        finally:
            self._lock.release()

    async def begin(self) -> None:
        await asyncio.to_thread(self.newest)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.station.listeners.append(self._told)
        while True:
            serial = await self._reported.get()
            try:
                await asyncio.to_thread(self._note, serial)
            except (OSError, EvidenceError) as error:
                log.error("what became of the update of %s is not entered: %s", serial, error)

    def _told(self, what: str, serial: str | None) -> None:
        if what == "bay" and serial is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._reported.put_nowait, serial)

    def _note(self, serial: str) -> None:
        """Enter once what became of a release in a camera."""
        bay = self.station.bays.look(serial)
        update = bay.report.update if bay is not None else None
        if update is None or update.phase not in _LASTING:
            return
        if (serial, update.version, update.phase) in self._noted:
            return
        self._noted.add((serial, update.version, update.phase))
        step, details = f"update_{update.phase}", {"version": update.version}
        known = self.station.custody.find(serial=serial, step=step, most=1)
        if known and known[-1].details.get("version") == update.version:
            return  # before a restart of this station
        if update.trouble:
            details["why"] = update.trouble
        self.station.custody.enter(step, who=f"camera {serial}", serial=serial, details=details)

    def documents(self, serial: str) -> Sequence[Document]:
        offer, bay = self.newest(), self.station.bays.look(serial)
        if offer is None or bay is None or (serial, offer.document.id) in self._refused:
            return ()
        issue = self.station.part(CheckoutDesk).issues.of(serial)
        age = age_s(bay, self.station.utc_ns())
        if not_now(bay, age, offer.release, issue.officer if issue is not None else None) is not None:
            return ()
        return (offer.document,)

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        offer = self._offer
        version = offer.release.version if offer is not None and offer.document == document else "unknown"
        details = {"version": version, **({"why": error} if error is not None else {})}
        # Either way it is not offered again: who took it says so in its reports.
        self._refused.add((serial, document.id))
        step = "update_taken" if error is None else "update_refused"
        self.station.custody.enter(step, who=f"camera {serial}", serial=serial, sha256=document.id, details=details)
        self.station.tell("update", serial)

    # --- the bundle ---------------------------------------------------------------------------------------------------

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/updates/{sha256}", known(self._piece), methods=["GET"])]

    async def _piece(self, request: Request) -> Response:
        """One range of the bundle, at most `PIECE_BYTES`."""
        offer = await asyncio.to_thread(self.newest)
        if offer is None or offer.bundle.sha256 != request.path_params["sha256"]:
            raise HTTPException(404, "no such bundle is offered now")
        size = offer.bundle.bytes
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), size - 1)) if asked else (0, -1)
        if asked is None or first > last or last - first >= PIECE_BYTES:
            told = f"ask for at most {PIECE_BYTES} bytes with Range: bytes=FIRST-LAST"
            raise HTTPException(416, told, {"Content-Range": f"bytes */{size}"})
        data = await asyncio.to_thread(_read, offer.path, first, last - first + 1)
        headers = {"Content-Range": f"bytes {first}-{last}/{size}", "Cache-Control": "no-store"}
        return Response(data, 206, headers, media_type="application/octet-stream")


def _read(path: Path, offset: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(count)
    if len(data) != count:
        raise OSError(f"{path} has become shorter")
    return data

"""Fetches a release that a station offers, verifies it, and has it installed if there is an installer.

1. Only a manifest that the agency's release role signed, newer than what runs, for this model, in the dock.
2. The bundle is fetched in pieces, and goes on where it stopped. A recording, or leaving the dock, cuts it off at once:
   it runs over a connection of the session (invariant 1).
3. It counts once its SHA-256 is the manifest's. Room for recordings is left on the card.
4. The installer runs between `update began` and `update ended` to the recorder; a recording that begins ends it.
   Without an installer a bundle stays `staged`, and nothing on the camera changes.
5. What became of it (confirmed, or gone back from) is the system's word (`evidence.update_state`): the station is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
from pathlib import Path
from typing import Final

import msgspec

from dock.agent.installer import Installer
from dock.agent.recorder_client import RecorderClient
from dock.agent.session import Session
from dock.agent.watch import RECORDER_TROUBLE, CameraWatch
from dock.bay_report import UpdateReport
from dock.config_agent import UpdateSettings
from dock.errors import DocumentRefused, StationFailed, StationRefused, TransportError
from dock.transport.https import StationLink, refuse
from evidence import durable
from evidence.durable import AppendFile
from evidence.errors import EvidenceError
from evidence.handover import Status
from evidence.release import Bundle, Release, read_release, update_fault
from evidence.trust import Trust
from evidence.update_state import UpdateState, read_state

log = logging.getLogger(__name__)
WANTED: Final = "wanted.p7s"
PIECE_BYTES: Final = 256 * 1024
"""As much as one answer of a station may hold."""
WRITE_BYTES: Final = 4 * 2**20
"""Written and synced in one go, to spare the card."""
_AGAIN_S: Final = 60.0
_ORPHAN_S: Final = 1.0


class Updates:
    """At most one release at a time, in a directory of its own."""

    def __init__(self, directory: Path, trust: Trust, settings: UpdateSettings, installer: Installer | None) -> None:
        self._directory = directory
        self._trust = trust
        self._settings = settings
        self._installer = installer
        self._wake = asyncio.Event()
        self._wanted: Release | None = None
        self._installing: asyncio.Task[None] | None = None
        self._ours = True
        """An update that the recorder is in is this agent's; at its start, that of the agent before it."""
        self._tried: str | None = None
        """The bundle that was installed, or could not be."""
        self.report: UpdateReport | None = None
        """For the station and the page."""

    def load(self) -> None:
        """What a restart finds. What cannot be read is forgotten: the station offers it again."""
        try:
            self._wanted = read_release((self._directory / WANTED).read_bytes(), self._trust)
        except (OSError, EvidenceError):
            self._wanted = None

    async def take(self, session: Session, document: bytes) -> None:
        """A station offers a release. Raises `DocumentRefused` with one sentence."""
        status = session.watch.status
        try:
            release = read_release(document, self._trust)
        except EvidenceError as error:
            raise DocumentRefused(f"the release is refused: {error}") from error
        fault = "the camera is not in the dock" if status is None or not status.docked else self._fault(release, status)
        if fault is None and release.bundle is not None:
            went = (await asyncio.to_thread(self._state)).failure_of(release.bundle.sha256)
            fault = None if went is None else f"this camera went back from it: {went.why}"
        if fault is not None:
            raise DocumentRefused(f"the release is refused: {fault}")
        await asyncio.to_thread(self._keep, document, release)
        self._wanted, self._tried = release, None
        self._tell("downloading")
        self._wake.set()

    def _fault(self, release: Release, status: Status) -> str | None:
        fault = update_fault(release, model=status.model, firmware=status.firmware)
        if fault is None and release.bundle is not None and not self._has_room(release.bundle):
            fault = f"the card has no room for {release.bundle.bytes // 2**20} MiB beside what recordings need"
        return fault

    def _has_room(self, bundle: Bundle) -> bool:
        directory = self._directory if self._directory.exists() else self._directory.parent
        part = self._part(bundle)
        there = part.stat().st_size if part.exists() else 0
        return shutil.disk_usage(directory).free >= bundle.bytes - there + self._settings.reserve_mib * 2**20

    def _keep(self, document: bytes, release: Release) -> None:
        """Remember what is wanted; what was fetched of others goes."""
        durable.make_directory(self._directory)
        assert release.bundle is not None
        for path in self._directory.iterdir():
            if path.is_file() and not path.name.startswith(release.bundle.sha256):
                durable.unlink(path)
        durable.replace(self._directory / WANTED, document)

    async def run(self, watch: CameraWatch, recorder: RecorderClient) -> None:
        """For ever: end for the recorder an update whose agent died with its installer. Nobody else would."""
        while True:
            await watch.until(lambda: self._is_orphan(watch.status))
            await self._end_orphan(recorder)
            await asyncio.sleep(_ORPHAN_S)

    async def _end_orphan(self, recorder: RecorderClient) -> None:
        with contextlib.suppress(*RECORDER_TROUBLE):  # dead, or told already
            if self._is_orphan(await recorder.status()):
                log.warning("the recorder waits for an installer that is gone: the update is ended")
                await recorder.update("ended")

    def _is_orphan(self, status: Status | None) -> bool:
        """Whether the recorder waits for an installer of this agent, or of one before it, and none is at work.

        An update that somebody else began while this agent lived is not its own.
        """
        if status is None or (self._installing is not None and not self._installing.done()):
            return False
        if status.state != "updating":
            self._ours = False
        return self._ours

    # --- beside a session ---------------------------------------------------------------------------------------------

    async def beside(self, session: Session) -> None:
        """Fetch and install what is wanted, for as long as the session lasts."""
        while True:
            self._wake.clear()
            release, status = self._wanted, session.watch.status
            if release is not None and release.bundle is not None and status is not None and status.docked:
                await self._advance(session, release, release.bundle, status)
            await self._rest(session)

    async def _rest(self, session: Session) -> None:
        """Until something is offered, or a minute is over. Raises `UploadStopped` if the session ends."""
        offered = asyncio.create_task(self._wake.wait())
        over = asyncio.create_task(session.pause(_AGAIN_S))
        try:
            await asyncio.wait({offered, over}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                over.result()
        finally:
            offered.cancel()
            over.cancel()

    async def _advance(self, session: Session, release: Release, bundle: Bundle, status: Status) -> None:
        if await asyncio.to_thread(self._is_decided, release, bundle, status):
            return
        if self._tried == bundle.sha256 or (self._installing is not None and not self._installing.done()):
            return
        if self._is_orphan(status):
            await self._end_orphan(session.recorder)
        try:
            whole = await self._fetch(session, bundle)
        except StationRefused as error:
            log.info("the release %s is not offered any more: %s", release.version, error)
            return
        except TransportError:
            raise
        except OSError as error:
            self._tell("failed", trouble=f"the bundle cannot be kept: {error.strerror or error}")
            return
        if whole is None:
            self._tried = bundle.sha256
            return
        if self._installer is None:
            self._tell("staged", 100)
            self._tried = bundle.sha256
            return
        self._ours = True
        # Not the session's: its end is no reason to break off. A recording is, and the installer sees to that.
        self._installing = asyncio.create_task(self._install(bundle, whole, self._installer))

    def _state(self) -> UpdateState:
        """The system's word on updates; a fresh one if it says nothing that can be read."""
        try:
            return read_state(self._settings.outcome) if self._settings.outcome is not None else UpdateState()
        except (OSError, EvidenceError) as error:
            log.warning("what became of updates cannot be read: %s", error)
            return UpdateState()

    def _is_decided(self, release: Release, bundle: Bundle, status: Status) -> bool:
        """Whether nothing is left to do for the agent: it runs, it waits for its restart, or it was given up."""
        state = self._state()
        if update_fault(release, model=status.model, firmware=status.firmware) is not None:  # it runs already
            last, trying = state.last, state.pending is not None and state.pending.sha256 == bundle.sha256
            if trying:
                self._tell("installed", 100)
                return True
            if last is not None and (last.version, last.phase) == (release.version, "confirmed"):
                self._tell("confirmed", 100)
            else:
                self.report = None
            self._wanted = None
            self._forget(bundle)
            return True
        if (went := state.failure_of(bundle.sha256)) is not None:
            self._tell("rolled_back", 100, went.why)
            self._forget(bundle)
            return True
        if state.pending is not None and state.pending.sha256 == bundle.sha256 and state.pending.phase != "installing":
            self._tell("installed", 100)
            return True
        return False

    def _forget(self, bundle: Bundle) -> None:
        """A bundle that is not needed any more takes no room from recordings."""
        (self._directory / f"{bundle.sha256}.bundle").unlink(missing_ok=True)

    async def _install(self, bundle: Bundle, whole: Path, installer: Installer) -> None:
        self._tell("installing", 100)
        try:
            done = await installer.run(whole, self._directory / WANTED)
        except RECORDER_TROUBLE as error:
            self._tell("staged", 100, f"the recorder does not allow it now: {error}")
            return
        if done.aborted:
            self._tell("staged", 100, "broken off by a recording or by undocking; tried again in the dock")
            return
        self._tried = bundle.sha256
        self._tell("installed" if done.trouble is None else "failed", 100, done.trouble)

    async def _fetch(self, session: Session, bundle: Bundle) -> Path | None:
        """The whole bundle, verified; None if it is not what was signed. Raises a `TransportError`, OSError."""
        whole = self._directory / f"{bundle.sha256}.bundle"
        if await asyncio.to_thread(whole.exists):
            return whole
        part, link = self._part(bundle), session.new_link()
        if not await asyncio.to_thread(part.exists):
            (await asyncio.to_thread(AppendFile.create, part)).close()
        size = await asyncio.to_thread(_size, part, bundle.bytes)
        while size < bundle.bytes:
            self._tell("downloading", size * 100 // bundle.bytes)
            if not self._has_room(bundle):
                raise OSError("the card has no room beside what recordings need")
            data = bytearray()
            while size + len(data) < bundle.bytes and len(data) < WRITE_BYTES:
                data += await asyncio.to_thread(_piece, link, bundle, size + len(data))
            size = await asyncio.to_thread(_append, part, data)
        if await asyncio.to_thread(_digest, part) != bundle.sha256:
            await asyncio.to_thread(durable.unlink, part)
            self._tell("failed", trouble="the bundle that came is not the one that was signed; it was thrown away")
            return None
        await asyncio.to_thread(durable.rename, part, whole)
        return whole

    def _part(self, bundle: Bundle) -> Path:
        return self._directory / f"{bundle.sha256}.part"

    def _tell(self, phase: str, percent: int = 0, trouble: str | None = None) -> None:
        if self._wanted is None:
            return
        said = {"version": self._wanted.version, "phase": phase, "percent": percent, "trouble": trouble}
        self.report = msgspec.convert(said if trouble is None else {**said, "trouble": trouble[:300]}, UpdateReport)


def _piece(link: StationLink, bundle: Bundle, offset: int) -> bytes:
    last = min(offset + PIECE_BYTES, bundle.bytes) - 1
    answer = link.call("GET", f"/updates/{bundle.sha256}", {"Range": f"bytes={offset}-{last}"})
    refuse(answer, "fetching an update")
    if (
        answer.status != 206
        or answer.headers.get("Content-Range", "") != f"bytes {offset}-{last}/{bundle.bytes}"
        or len(answer.body) != last - offset + 1
    ):
        raise StationFailed("fetching an update: the answer is not the range that was asked for")
    return answer.body


def _size(part: Path, most: int) -> int:
    """What is there of it; one that is too long begins anew."""
    with AppendFile.reopen(part) as file:
        if file.size > most:
            file.truncate(0)
        return file.size


def _append(part: Path, data: bytearray) -> int:
    with AppendFile.reopen(part) as file:
        file.append([data])
        return file.size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

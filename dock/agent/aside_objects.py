"""Objects that the recorder laid aside: brought to the station when everything else is done, and only in the dock.

They are no evidence (docs/design/keys.md, rule 5): they get no receipt, and the camera keeps them. The spool is read,
as always, and never written.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import os
import stat
from pathlib import Path
from typing import Final

from dock.agent.ledger import UploadLedger
from dock.agent.session import Session
from dock.errors import BadFileName, SpoolMismatch, StationFailed, StationRefused
from dock.names import parse_aside
from dock.transport.https import StationLink, refuse

log = logging.getLogger(__name__)
ASIDE: Final = "aside"
OBJECT_BYTES: Final = 16 * 2**20
"""Larger ones are taken from the card by a technician."""
_EVERY_S: Final = 60.0
_IDLE_S: Final = 5.0


class AsideObjects:
    """Runs beside the uploads of each session, after them."""

    def __init__(self, ledger: UploadLedger) -> None:
        self._ledger = ledger
        self._refused: set[str] = set()
        """Told once, and not brought again before the agent's next start."""

    async def beside(self, session: Session) -> None:
        """Bring what the station does not have yet, whenever nothing else waits."""
        link = session.new_link()
        while True:
            if session.watch.permission.over == "dock" and self._rest(session):
                await self._round(session, link)
                await session.pause(_EVERY_S)
            else:
                await session.pause(_IDLE_S)

    @staticmethod
    def _rest(session: Session) -> bool:
        """Nothing that is evidence waits."""
        backlog = session.backlog
        return backlog.listed and not backlog.in_work and not backlog.wanted(session.watch.permission.classes)

    async def _round(self, session: Session, link: StationLink) -> None:
        directory = session.backlog.directory / ASIDE
        there = await asyncio.to_thread(self._ledger.aside_sent, session.url)
        for name, size in await asyncio.to_thread(objects_in, directory):
            if (name, size) in there or name in self._refused:
                continue
            if not self._rest(session):
                return
            try:
                await self._bring(session, link, directory / name, size)
            except (StationRefused, SpoolMismatch) as error:
                self._refused.add(name)
                log.warning("%s stays aside: %s", name, error)
                continue
            await asyncio.to_thread(self._ledger.send_aside, session.url, name, size)
            log.info("%s is kept at the station; it is no evidence, and stays here", name)

    @staticmethod
    async def _bring(session: Session, link: StationLink, path: Path, size: int) -> None:
        """One object. Raises `TransportError`, `SpoolMismatch`, OSError."""
        data = await asyncio.to_thread(_read, path, size)
        shared = 0
        while shared < size:
            shared += await session.share(size - shared)
        digest = hashlib.sha256(data)
        headers = {
            "Content-Type": "application/octet-stream",
            "Upload-Checksum": f"sha256 {base64.b64encode(digest.digest()).decode()}",
        }
        answer = await asyncio.to_thread(link.call, "PUT", f"/aside/{path.name}", headers, data)
        refuse(answer, f"bringing {path.name}")
        try:
            kept = json.loads(answer.body)
        except (ValueError, RecursionError):
            kept = None
        if answer.status != 201 or kept != {"sha256": digest.hexdigest()}:
            raise StationFailed(f"bringing {path.name}: {answer.status} without its digest")


def objects_in(directory: Path) -> list[tuple[str, int]]:
    """Name and size of what lies aside, by name; what is too large, or no such object, is left out."""
    found: list[tuple[str, int]] = []
    try:
        entries = sorted(os.scandir(directory), key=lambda one: one.name)
    except OSError:  # nothing was ever laid aside
        return []
    for entry in entries:
        try:
            parse_aside(entry.name)
            status = entry.stat(follow_symlinks=False)
        except (BadFileName, OSError):
            continue
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= OBJECT_BYTES:
            found.append((entry.name, status.st_size))
    return found


def _read(path: Path, size: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise SpoolMismatch(f"{path.name} has {len(data)} bytes, not {size}")
    return data

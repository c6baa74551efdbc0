"""Takes a newer signed profile from the dock (R7): checked at once, followed from the camera's next start on.

1. It counts only if it is signed under the agency's root by the profile role, if every key is known, and if its version
   is above that of the profile that rules and of one that was taken before. The same document again is no mistake.
2. It is durable, where a start looks first, before anybody is told "taken"; a refused one changes nothing.
3. Nothing changes before the next start: not in a recording, and not between two of one shift.
4. Other vault certificates need two signatures (`device.profile.check_second`): such a profile is put in by hand.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ProfileRefused
from device.part import Part
from device.profile import AcceptedProfile, accept, parse_profile
from evidence.handover import Answer, Done, Refused
from evidence.requests import ProfileRequest, Request

if TYPE_CHECKING:
    from device.daemon import Daemon

DRAIN_S = 5.0
log = logging.getLogger("firsthand.profile")


class ProfileDesk(Part):
    """The way in for profiles."""

    name = "profile"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._one_at_a_time = asyncio.Lock()
        self.next: AcceptedProfile | None = None
        """Rules from the next start on."""

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, ProfileRequest):
            return None
        daemon, refusal = self.daemon, None
        async with self._one_at_a_time:
            try:
                await self._take(request.profile)
            except ProfileRefused as error:
                refusal = str(error)
            except OSError as error:
                refusal = f"the policy profile cannot be kept: {error.strerror or error}"
        if refusal is not None:
            log.warning("%s", refusal)
            daemon.log("profile_refused", details={"why": refusal[:500]})
            daemon.publish("profile_refused", None)
        await asyncio.to_thread(daemon.writer.drain, DRAIN_S)  # the log has it before anybody is told
        return Done() if refusal is None else Refused(error=refusal)

    async def _take(self, document: bytes) -> None:
        """Raises `ProfileRefused`, or OSError."""
        daemon = self.daemon
        found = await asyncio.to_thread(parse_profile, document, daemon.identity.others)
        present = self.next or daemon.profile
        if found.sha256 == present.sha256:
            return
        if found.profile.version <= present.profile.version:
            raise ProfileRefused(
                f"the policy profile is refused: version {found.profile.version} is not newer than "
                f"{present.profile.version}, which this camera has"
            )
        if found.profile.vault != present.profile.vault:
            raise ProfileRefused(
                "the policy profile is refused: it names other vault certificates, which needs a second signature; "
                "put both files in by hand, beside device.toml"
            )
        settings = daemon.settings
        await asyncio.to_thread(accept, document, Path(settings.profile), Path(settings.state))
        self.next = found
        details = {"profile": found.profile.name, "version": found.profile.version}
        daemon.log("profile_taken", object_sha256=found.sha256, details=details)
        daemon.publish("profile_taken", None, number=found.profile.version)

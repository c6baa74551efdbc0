"""Takes signed commands from the socket, and has them obeyed by whoever can: each is logged with its SHA-256 (R33)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.assignment import Assignment
from device.commands import Numbers, Received, check_command, digest_of
from device.custody import Custody
from device.errors import CommandRefused
from device.labels import Labels
from device.lost import Lost
from device.part import Part
from evidence.commands import (
    Accept,
    Assign,
    CorrectOfficer,
    CriticalIncident,
    EndSession,
    Hold,
    Inspection,
    Lock,
    Override,
    Release,
    Unlock,
    kind_of,
)
from evidence.handover import Answer, Done, Refused
from evidence.requests import CommandRequest, Request

if TYPE_CHECKING:
    from device.daemon import Daemon

DRAIN_S: Final = 5.0
log = logging.getLogger("firsthand.commands")


class CommandDesk(Part):
    """The one way in for signed commands."""

    name = "commands"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._numbers = Numbers(Path(daemon.settings.state) / "commands.json")
        self._one_at_a_time = asyncio.Lock()

    def begin(self) -> None:
        self._numbers.load()
        if self._numbers.lost is not None:
            self.daemon.fault("commands", self._numbers.lost)

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, CommandRequest):
            return None
        daemon, digest = self.daemon, digest_of(request.command)
        try:
            received = check_command(
                request.command, daemon.identity.others, daemon.identity.serial, daemon.clock.utc()
            )
            async with self._one_at_a_time:
                await asyncio.to_thread(self._numbers.take, received)
            kind = kind_of(received.command)
            details = {"signer": received.signer, "sequence": received.command.sequence}
            daemon.log("command", word=kind, object_sha256=digest, details=details)
            refusal = self._obey(received)
            if refusal is None:  # who is told "done" may switch the camera off
                await asyncio.to_thread(self._keep)
        except CommandRefused as error:
            refusal = str(error)
        if refusal is not None:
            log.warning("%s", refusal)
            daemon.log("command_refused", object_sha256=digest, details={"why": refusal[:500]})
            daemon.publish("command_refused", None)
        await asyncio.to_thread(daemon.writer.drain, DRAIN_S)  # the log has it before anybody is told
        return Done() if refusal is None else Refused(error=refusal)

    def _keep(self) -> None:
        self.daemon.part(Assignment).save()
        self.daemon.boot.spool.appended.try_to_save()

    def _obey(self, received: Received) -> str | None:
        """Why it cannot be obeyed; None if it was."""
        daemon, command, digest = self.daemon, received.command, received.sha256
        match command:
            case Assign():
                return daemon.part(Assignment).sign_in(command, digest)
            case EndSession():
                return daemon.part(Assignment).sign_out("signed_out", digest)
            case CorrectOfficer():
                return daemon.part(Assignment).correct(command, digest)
            case CriticalIncident():
                return daemon.part(Custody).command(command, digest)
            case Hold():
                return daemon.part(Labels).hold(command.recording, command.reason, digest)
            case Release():
                return daemon.part(Labels).release(command.recording, command.reason, digest)
            case Lock() | Unlock():
                return daemon.part(Lost).command(command, digest)
            case Accept():
                return daemon.part(Lost).accept(command, digest)
            case Override():  # bound to the credential that signed, not to the name that was typed
                return daemon.examination.override(command.component, received.signer, digest)
            case Inspection():
                return daemon.examination.extended(received.signer, digest)

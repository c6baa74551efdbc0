"""Signed commands of supervisors on their way to a camera: override, officer correction, custody, inspection (R9, R33).

The station's own key has no such power: a supervisor signs the file (`firsthand-fleet sign-command`), the desk hands it
on, and the recorder judges it. What waits lies in ``commands/`` as one file each; its answer is in the custody ledger.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dock.admin_words import arguments_of
from dock.errors import BadArguments
from dock.station.part import AdminVerb, Document, StationPart
from evidence import durable
from evidence.commands import (
    AnyCommand,
    CorrectOfficer,
    CriticalIncident,
    Inspection,
    Override,
    kind_of,
    parse_command,
    powers_of,
)
from evidence.errors import EvidenceError
from evidence.limits import COMMAND_BYTES
from evidence.roles import serial_of
from evidence.statements import Frozen

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
KINDS: Final = (Override, CorrectOfficer, CriticalIncident, Inspection)
MOST: Final = 64
"""Commands that may wait for one camera."""
_ENDING: Final = ".p7s"


class Handed(Frozen, frozen=True, kw_only=True):
    """Arguments of `supervise`: the signed file, base64."""

    command: str


class SupervisorsCommands(StationPart):
    """The tray. Calls from any thread."""

    name = "supervisors_commands"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._directory: Path = station.config.directory / "commands"
        durable.make_directory(self._directory)
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Document]] = {}
        for path in sorted(self._directory.glob(f"*{_ENDING}")):
            try:
                document = Document("command", path.read_bytes())
                self._waiting.setdefault(parse_command(document.data)[0].serial, []).append(document)
            except (OSError, EvidenceError) as error:
                log.error("%s waits for nobody, it cannot be read: %s", path, error)

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"supervise": self._supervise}

    def _supervise(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(Handed, arguments)
        try:
            document = Document("command", base64.b64decode(said.command, validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadArguments("the command is not base64") from error
        command, signer = self._checked(document.data)
        with self._lock:
            waiting = self._waiting.setdefault(command.serial, [])
            if document not in waiting:
                if len(waiting) >= MOST:
                    raise BadArguments(f"{len(waiting)} commands wait for {command.serial} already")
                durable.replace(self._path(document), document.data)
                waiting.append(document)
        details = {"command": kind_of(command), "signer": signer}
        self.station.custody.enter(
            "command_handed", who=who, serial=command.serial, sha256=document.id, details=details
        )
        self.station.tell("command", command.serial)
        return {"serial": command.serial, "command": kind_of(command), "signer": signer}

    def _checked(self, data: bytes) -> tuple[AnyCommand, str]:
        """The command and its signer, as the camera will judge it. Raises `BadArguments`, `EvidenceError`."""
        if len(data) > COMMAND_BYTES:
            raise BadArguments(f"a command has at most {COMMAND_BYTES} bytes")
        command, message = parse_command(data)
        now = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=self.station.utc_ns() // 1000)
        self.station.trust.check(message, role="command", at=now)
        if not isinstance(command, KINDS):
            raise BadArguments(f"{kind_of(command)} is not handed on here: it has a verb of its own")
        if "supervise" not in powers_of(message.certificate):
            raise BadArguments("the command's signer is no supervisor: the camera would refuse it")
        return command, serial_of(message.certificate) or "unknown"

    def documents(self, serial: str) -> Sequence[Document]:
        with self._lock:
            return tuple(self._waiting.get(serial, ()))

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        """Taken or refused, it has come to its end: a command counts once."""
        with self._lock:
            waiting = self._waiting.get(serial, [])
            if document not in waiting:
                return
            durable.unlink(self._path(document))
            waiting.remove(document)
        step, details = "command_taken", {"command": document.id}
        if error is not None:
            step, details = "command_refused", {**details, "why": error}
        self.station.custody.enter(step, who=f"camera {serial}", serial=serial, details=details)

    def _path(self, document: Document) -> Path:
        return self._directory / f"{document.id}{_ENDING}"

"""Lost and stolen cameras (R11): reported here, locked at their next contact, emptied by the quarantine lane.

``lost.json`` in the station's directory; every change is a custody entry. The lock is a signed command of the desk's
key; to unlock takes a supervisor's own signed command, which `found` hands on.
"""

from __future__ import annotations

import base64
import datetime as dt
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from dock.admin_words import arguments_of
from dock.errors import BadArguments, BadConfig
from dock.station.part import AdminVerb, Document, StationPart, Stored
from dock.station.station import Station
from evidence import cms, durable
from evidence.commands import Accept, Lock, Unlock, parse_command, powers_of, sequence_at
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.limits import COMMAND_BYTES
from evidence.statements import Frozen, Moment, Name, Serial, encode_canonical, moment

log = logging.getLogger(__name__)
FILE: Final = "lost.json"


class LostCamera(Frozen, frozen=True, kw_only=True):
    """One camera that is away."""

    how: Literal["lost", "stolen"]
    reason: str
    who: Name
    at: Moment
    lock: bytes | None = None
    """The signed command, as it waits for the camera."""
    locked: Moment | None = None
    """When the camera's recorder took it."""


class _Book(Frozen, frozen=True, kw_only=True):
    lost: dict[Serial, LostCamera] = msgspec.field(default_factory=dict)
    commands: dict[Serial, tuple[bytes, ...]] = msgspec.field(default_factory=dict)
    """Supervisors' signed commands (`unlock`, `accept`) that wait for a camera."""


class Report(Frozen, frozen=True, kw_only=True):
    """Arguments of `lost`."""

    serial: Serial
    how: Literal["lost", "stolen"]
    reason: str


class Handed(Frozen, frozen=True, kw_only=True):
    """Arguments of `found` and `accept`: a supervisor's signed command, base64."""

    command: str


class LostCameras(StationPart):
    """Which cameras are away. Calls from any thread."""

    name = "lost"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._path: Path = station.config.directory / FILE
        self._lock = threading.Lock()
        self._book = self._load()

    def _load(self) -> _Book:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Book)
        except FileNotFoundError:
            return _Book()
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            # To forget who was lost would open the evidence lane to a thief: a person must look.
            raise BadConfig(f"{self._path} cannot be read ({error}): restore it, or move it away") from error

    def lost(self, serial: str) -> bool:
        """Whether that camera was reported lost and not found again."""
        return serial in self._book.lost

    def all(self) -> Mapping[str, LostCamera]:
        """Every camera that is away, by serial."""
        return self._book.lost

    # --- what people do ---------------------------------------------------------------------------------------------

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"lost": self._report, "found": self._found, "accept": self._accept}

    def _report(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(Report, arguments)
        if not 1 <= len(said.reason) <= 500:
            raise BadArguments("say in 1 to 500 characters who reported the camera, and when it was last seen")
        now = moment(self.station.utc_ns())
        lock = self._sign_lock(said.serial, f"{said.how}: {said.reason}"[:500])
        entry = LostCamera(how=said.how, reason=said.reason, who=who, at=now, lock=lock)
        with self._lock:
            if said.serial in self._book.lost:
                raise BadArguments(f"{said.serial} is reported as {self._book.lost[said.serial].how} already")
            self._keep(msgspec.structs.replace(self._book, lost={**self._book.lost, said.serial: entry}))
        details = {"reason": said.reason, "lock": "waits" if lock else "none: the station has no [desk] key"}
        self.station.custody.enter(said.how, who=who, serial=said.serial, details=details)
        self.station.tell("lost", said.serial)
        advice = "revoke its certificates as well: firsthand-fleet ca revoke"
        return {"serial": said.serial, "how": said.how, "lock": lock is not None, "next": advice}

    def _found(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        document, command = self._checked(arguments, Unlock)
        with self._lock:
            if command.serial not in self._book.lost:
                raise BadArguments(f"{command.serial} is not reported as lost here")
            rest = {serial: one for serial, one in self._book.lost.items() if serial != command.serial}
            self._keep(self._with(msgspec.structs.replace(self._book, lost=rest), command.serial, document))
        self.station.custody.enter("found", who=who, serial=command.serial, details={"reason": command.reason})
        self.station.tell("found", command.serial)
        return {"serial": command.serial}

    def _accept(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        document, command = self._checked(arguments, Accept)
        with self._lock:
            self._keep(self._with(self._book, command.serial, document))
        self.station.custody.enter(
            "accepted", who=who, serial=command.serial, name=command.file, sha256=command.sha256,
            details={"supervisor": command.supervisor, "reason": command.reason},
        )  # fmt: skip
        self.station.tell("accepted", command.serial)
        return {"serial": command.serial, "file": command.file}

    def _checked(self, arguments: dict[str, Any], kind: type[Any]) -> tuple[bytes, Any]:
        """A supervisor's own command, as the camera will judge it. Raises `BadArguments`, `EvidenceError`."""
        said = arguments_of(Handed, arguments)
        try:
            document = base64.b64decode(said.command, validate=True)
        except ValueError as error:
            raise BadArguments("the command is not base64") from error
        if len(document) > COMMAND_BYTES:
            raise BadArguments(f"a command has at most {COMMAND_BYTES} bytes")
        command, message = parse_command(document)
        self.station.trust.check(message, role="command", at=self._now())
        if not isinstance(command, kind):
            verb = kind.__name__.lower()
            raise BadArguments(f"this command is another one; sign it with: firsthand-fleet sign-command {verb}")
        if "supervise" not in powers_of(message.certificate):
            raise BadArguments("the command's signer is no supervisor: the camera would refuse it")
        return document, command

    # --- what cameras get --------------------------------------------------------------------------------------------

    def documents(self, serial: str) -> Sequence[Document]:
        book = self._book
        waiting = [Document("command", one) for one in book.commands.get(serial, ())]
        away = book.lost.get(serial)
        if away is not None and away.lock is not None and away.locked is None:
            waiting.append(Document("command", away.lock))
        return waiting

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        with self._lock:
            book = self._book
            away = book.lost.get(serial)
            if away is not None and away.lock == document.data and error is None:
                book = msgspec.structs.replace(
                    book, lost={**book.lost, serial: msgspec.structs.replace(away, locked=self._moment())}
                )
            rest = tuple(one for one in book.commands.get(serial, ()) if one != document.data)
            commands = {**book.commands, serial: rest}
            self._keep(msgspec.structs.replace(book, commands={one: them for one, them in commands.items() if them}))
        step = "command_refused" if error else "command_taken"
        details = {"command": document.id, **({"why": error} if error else {})}
        self.station.custody.enter(step, who=f"camera {serial}", serial=serial, details=details)

    def quarantined(self, file: Stored) -> None:
        """A file came by the quarantine lane and is in its store (a thread)."""
        receipt = file.receipt
        self.station.custody.enter(
            "quarantined", who=f"camera {receipt.serial}", serial=receipt.serial, name=receipt.name,
            sha256=receipt.sha256, details={"stored": file.stored, "findings": "; ".join(receipt.findings)[:500]},
        )  # fmt: skip
        self.station.tell("quarantined", receipt.serial)

    # --- the rim ------------------------------------------------------------------------------------------------------

    def _with(self, book: _Book, serial: str, document: bytes) -> _Book:
        waiting = book.commands.get(serial, ())
        if len(waiting) >= 256:
            raise BadArguments(f"{len(waiting)} commands wait for {serial} already")
        return msgspec.structs.replace(book, commands={**book.commands, serial: (*waiting, document)})

    def _keep(self, book: _Book) -> None:
        durable.replace(self._path, msgspec.json.encode(book))
        self._book = book

    def _sign_lock(self, serial: str, reason: str) -> bytes | None:
        settings = self.station.config.desk
        if settings is None:
            return None
        try:
            signer = FileSigner.load(settings.command_key, settings.command_certificate)
        except EvidenceError as error:
            raise BadArguments(f"the lock cannot be signed: {error}") from error
        now = self._now()
        lock = Lock(v=1, serial=serial, sequence=sequence_at(now), issued=self._moment(), reason=reason)
        return cms.sign(encode_canonical(lock), signer, now)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.station.utc_ns() / 1e9, dt.UTC)

    def _moment(self) -> str:
        return moment(self.station.utc_ns())

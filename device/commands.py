"""Signed commands as the camera judges them: whose, for whom, how old, and never twice. Pure but for `Numbers`.

1. A command counts only if it is signed under the agency's root by a certificate of the `command` role that names its
   holder (subject serialNumber) and has the power that the command needs (R33).
2. It names this camera's serial, and a number larger than that of each earlier command of the same holder; the number
   is durable before the command is obeyed, so that a replay is refused after a power cut too.
3. A camera that knows the time refuses what is past `valid_until`. One that does not takes what protects evidence and
   refuses what unlocks it (invariant 13).
4. What unlocks evidence (`release`, `unlock`, `accept`, the end of a critical incident) needs its number durable; all
   else is obeyed even if the card takes nothing now.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from device.errors import CommandRefused
from device.state_file import StateUnreadable, read_state, write_state
from evidence.commands import (
    NEEDS,
    Accept,
    AnyCommand,
    Assign,
    CriticalIncident,
    Release,
    Unlock,
    kind_of,
    parse_command,
    powers_of,
)
from evidence.errors import EvidenceError
from evidence.roles import serial_of
from evidence.statements import moment_ns
from evidence.trust import Trust
from hal.clock import UtcClaim

log = logging.getLogger("firsthand.commands")

SIGNERS: Final = 1024
"""Most holders whose numbers are kept: far above the supervisors of an agency."""
STATE_BYTES: Final = 256 * 1024
FLOOR: Final = ""
"""No signer's name: the number of the first command after the others were lost. Nothing older counts."""


@dataclass(frozen=True, slots=True)
class Received:
    """A command that may be obeyed."""

    command: AnyCommand
    signer: str
    """The subject's serialNumber: `SUP-17` say."""
    sha256: str
    """Of the whole document."""

    @property
    def unlocks(self) -> bool:
        """It lets evidence be cleaned up that could not be before."""
        command = self.command
        return isinstance(command, Release | Unlock | Accept) or (
            isinstance(command, CriticalIncident) and command.phase == "end"
        )


def digest_of(document: bytes) -> str:
    """SHA-256 of a command document, by which the log names it."""
    return hashlib.sha256(document).hexdigest()


def check_command(document: bytes, trust: Trust, serial: str, claim: UtcClaim) -> Received:
    """Rules 1 and 3, and the serial. Raises `CommandRefused` with one sentence."""
    known_time = claim.source != "none"
    try:
        command, message = parse_command(document)
        now = dt.datetime.fromtimestamp(max(0, claim.middle_ns) // 10**9, dt.UTC)
        trust.check(message, role="command", at=now if known_time else None)
        until_ns = moment_ns(command.valid_until) if command.valid_until is not None else None
        moment_ns(command.issued)
        if isinstance(command, Assign) and command.training_valid_until is not None:
            dt.date.fromisoformat(command.training_valid_until)
    except (EvidenceError, ValueError, OverflowError) as error:
        raise CommandRefused(f"the command is refused: {error}") from error
    signer, kind = serial_of(message.certificate), kind_of(command)
    if signer is None:
        raise CommandRefused("the command is refused: its certificate names no holder (serialNumber)")
    if NEEDS[kind] not in powers_of(message.certificate):
        raise CommandRefused(
            f"the command is refused: {signer} may not give {kind}; it needs a certificate with `{NEEDS[kind]}`"
        )
    if command.serial != serial:
        raise CommandRefused(f"the command is refused: it is for {command.serial}, this camera is {serial}")
    received = Received(command, signer, digest_of(document))
    if until_ns is not None and known_time and claim.earliest_ns > until_ns:
        raise CommandRefused(f"the command is refused: it was to be used until {command.valid_until}; have a new one")
    if until_ns is not None and not known_time and received.unlocks:
        raise CommandRefused(
            "the command is refused: this camera does not know the time and cannot tell whether the command still "
            "counts; dock it, or let a command without valid_until be signed"
        )
    return received


@dataclass
class Numbers:
    """The largest number of each signer, in the state directory (rule 2)."""

    path: Path
    _largest: dict[str, int] = field(default_factory=dict)
    lost: str | None = None
    """Why earlier numbers are not known; then nothing that unlocks is taken before a newer command was."""

    def load(self) -> None:
        """Read the file. What cannot be read is told by `lost`, never raised."""
        try:
            self._largest = read_state(self.path, dict[str, int], STATE_BYTES) or {}
        except StateUnreadable as error:
            self.lost = f"{error}: earlier commands could come again"

    def take(self, received: Received) -> None:
        """Use a command's number up, durably. May block; rules 2 and 4. Raises `CommandRefused`."""
        if received.signer not in self._largest and len(self._largest) >= SIGNERS:
            raise CommandRefused(f"the command is refused: this camera knows {SIGNERS} signers already")
        last = max(self._largest.get(received.signer, 0), self._largest.get(FLOOR, 0))
        if received.command.sequence <= last:
            raise CommandRefused(
                f"the command is refused: its number {received.command.sequence} is not above {last}, the last of "
                f"{received.signer}: it was given before, or is older"
            )
        if self.lost is not None and received.unlocks:
            raise CommandRefused(f"the command is refused: {self.lost}")
        if self.lost is not None:
            self._largest[FLOOR], self.lost = received.command.sequence, None
        self._largest[received.signer] = received.command.sequence
        try:
            write_state(self.path, self._largest)
        except OSError as error:
            if received.unlocks:
                raise CommandRefused(
                    f"the command is refused: its number cannot be kept: {error.strerror or error}"
                ) from error
            log.error("commands: %s: %s", self.path, error)

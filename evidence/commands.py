"""Signed commands: what a supervisor or the dock tells a camera. CMS of the `command` role around canonical JSON.

`fleet` and the dock make them, `device` obeys them, so the words stand here. A command is bound to one camera's serial
and carries a number that grows with each command of its signer, so that no command counts twice. Two powers stand in
the signer's certificate (R33): `assign` for whoever hands cameras out, `supervise` for supervisors.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal

import msgspec
from cryptography import x509
from msgspec import Meta

from evidence.cms import SignedMessage, parse_signed
from evidence.limits import COMMAND_BYTES
from evidence.roles import ARC, policies
from evidence.statements import Count, Frozen, Hash, Moment, Name, Serial, Word, decode_canonical

Identified = Literal["rfid", "pin", "password", "spoken", "none"]
Power = Literal["assign", "supervise"]
POWER_OIDS: Final[dict[Power, x509.ObjectIdentifier]] = {
    "assign": x509.ObjectIdentifier(f"{ARC}.4.1"),
    "supervise": x509.ObjectIdentifier(f"{ARC}.4.2"),
}
Sentence = Annotated[str, Meta(min_length=1, max_length=500)]
Stem = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}-[0-9]{6,15}\Z")]
"""A recording's name without its ending."""
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]\Z")]


class Command(Frozen, frozen=True, kw_only=True, tag_field="command"):
    """What every command carries."""

    v: Literal[1]
    """Version of the command's form."""
    serial: Serial
    """The camera that is to obey; all others refuse it."""
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    """Larger than in each command that this signer gave this camera before: microseconds since 1970, by custom."""
    issued: Moment
    """The signer's clock."""
    valid_until: Moment | None = None
    """Not taken by a camera whose clock is surely past this."""


class Assign(Command, frozen=True, kw_only=True, tag="assign"):
    """Who carries the camera now. It ends the session before."""

    officer: Name
    """The agency's own identifier of the officer."""
    name: Name | None = None
    """The officer's name."""
    badge: Name | None = None
    """The badge's number."""
    identified_by: Identified
    """How the officer was identified: a claim with its method."""
    vehicle: Name | None = None
    """The vehicle's identifier."""
    shift: Name | None = None
    """The shift's identifier."""
    training_valid_until: Day | None = None
    """Last day on which the officer's training counts (R32)."""


class EndSession(Command, frozen=True, kw_only=True, tag="end_session"):
    """The officer has signed out."""


class CorrectOfficer(Command, frozen=True, kw_only=True, tag="correct_officer"):
    """A recording was another officer's: appended to the log, never an edit."""

    recording: Stem
    """The recording."""
    officer: Name
    """Whose it was."""
    name: Name | None = None
    """That officer's name."""
    badge: Name | None = None
    """That badge's number."""
    reason: Sentence
    """How the mistake came about."""


class Override(Command, frozen=True, kw_only=True, tag="override"):
    """A supervisor puts a camera into service whose self-test failed for this one component, for this shift (R9)."""

    component: Word
    """The check that failed."""
    supervisor: Name
    """The supervisor's name; what counts is the certificate."""


class CriticalIncident(Command, frozen=True, kw_only=True, tag="critical_incident"):
    """A supervisor seizes the camera, or ends that: power kept, ring and evidence frozen, custody by name."""

    phase: Literal["begin", "end"]
    """`begin` while it is seized already hands it over."""
    custodian: Name
    """Who has the camera from now on."""
    supervisor: Name
    """The supervisor's name."""
    reason: Sentence | None = None
    """What happened."""


class Hold(Command, frozen=True, kw_only=True, tag="hold"):
    """Nothing cleans that recording up until a `release` (R35)."""

    recording: Stem
    """The recording."""
    reason: Sentence
    """Whose order, or which case."""


class Release(Command, frozen=True, kw_only=True, tag="release"):
    """The hold on that recording is over."""

    recording: Stem
    """The recording."""
    reason: Sentence
    """Why it is not needed any more."""


class Inspection(Command, frozen=True, kw_only=True, tag="inspection"):
    """A supervisor runs the extended test (R37)."""

    supervisor: Name
    """The supervisor's name."""


class Lock(Command, frozen=True, kw_only=True, tag="lock"):
    """The camera is lost or stolen (R11): it must not be used and deletes nothing. It still records."""

    reason: Sentence
    """Who reported it, and when."""


class Unlock(Command, frozen=True, kw_only=True, tag="unlock"):
    """It was found, looked at, and may be used again."""

    reason: Sentence
    """Who looked at it."""


class Accept(Command, frozen=True, kw_only=True, tag="accept"):
    """A supervisor accepts that a file leaves the camera although the store found that it does not verify (R38).

    The store holds every byte of it, with its findings; the acceptance names these very bytes.
    """

    file: Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}-(log-)?[0-9]{6,15}\.evidence\Z")]
    """The file's name on the camera."""
    sha256: Hash
    """Of the whole file, as the store's receipt says."""
    supervisor: Name
    """The supervisor's name."""
    reason: Sentence
    """Why it is accepted."""


AnyCommand = (
    Assign
    | EndSession
    | CorrectOfficer
    | Override
    | CriticalIncident
    | Hold
    | Release
    | Inspection
    | Lock
    | Unlock
    | Accept
)
KINDS: Final[dict[str, type[AnyCommand]]] = {
    "assign": Assign,
    "end_session": EndSession,
    "correct_officer": CorrectOfficer,
    "override": Override,
    "critical_incident": CriticalIncident,
    "hold": Hold,
    "release": Release,
    "inspection": Inspection,
    "lock": Lock,
    "unlock": Unlock,
    "accept": Accept,
}
NEEDS: Final[dict[str, Power]] = {
    "assign": "assign",
    "end_session": "assign",
    "correct_officer": "supervise",
    "override": "supervise",
    "critical_incident": "supervise",
    "hold": "assign",
    "release": "supervise",
    "inspection": "supervise",
    "lock": "assign",
    "unlock": "supervise",
    "accept": "supervise",
}
"""Which power the signer of a command must have: to hold and to lock are safe, the reverse is not."""
_DECODER: Final = msgspec.json.Decoder(AnyCommand)


def kind_of(command: AnyCommand) -> str:
    """The command's own word, `assign` say."""
    return next(word for word, kind in KINDS.items() if type(command) is kind)


def powers_of(certificate: x509.Certificate) -> frozenset[Power]:
    """What a command certificate may tell a camera. A supervisor may all."""
    found = policies(certificate)
    powers = {power for power, oid in POWER_OIDS.items() if oid in found}
    return frozenset(powers | {"assign"} if "supervise" in powers else powers)


def parse_command(document: bytes) -> tuple[AnyCommand, SignedMessage]:
    """The command and its message; the signature is not checked here.

    Raises `MalformedDer` or `MalformedStatement`.
    """
    message = parse_signed(document, limit=COMMAND_BYTES)
    command: AnyCommand = decode_canonical(message.payload, _DECODER)
    return command, message


def sequence_at(when: dt.datetime) -> Count:
    """The number that a signer's clock gives a command."""
    return int(when.timestamp() * 1_000_000)

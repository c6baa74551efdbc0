"""A camera goes to another agency: its evidence first, then its certificates, then new keys (R6, R11, R38).

1. The camera signs its own departure, with its evidence key: which files still wait for a receipt. With any, the old
   agency does not let it go, unless a person wrote down why the evidence stays behind.
2. The old agency takes all its certificates back as `transferred`. What stations gave receipts for before stays valid.
3. The new agency enrols it like any camera, into a new directory: no key goes along, so neither agency can sign in the
   other's time.
"""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Answer, Refused, Spool, Status, answer_decoder
from evidence.keys import Signer
from evidence.requests import ListRequest, StatusRequest
from evidence.statements import Count, Frozen, Moment, Name, Serial, decode_canonical, encode_canonical, moment
from evidence.times import when
from evidence.trust import Trust
from fleet import revoking
from fleet.authority_store import Keys, now
from fleet.errors import BadAuthority, EvidenceLeft, ServerUnreachable
from fleet.issued import Issued

LONGEST: Final = dt.timedelta(days=1)
"""How old a departure may be: a camera that recorded since then has new evidence."""
_LINE_BYTES: Final = 16 * 2**20
_NAMED: Final = 50


class Departure(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="departure"):
    """What a camera says when it leaves its agency; signed with its evidence key."""

    v: Literal[1]
    serial: Serial
    at: Moment
    """The camera's clock."""
    waiting: Count
    """Files without a receipt."""
    names: Annotated[tuple[Name, ...], Meta(max_length=_NAMED)] = ()
    """The first of them."""
    left: Annotated[str, Meta(max_length=500)] = ""
    """Why they are left behind, in a person's words."""


_DECODER: Final = msgspec.json.Decoder(Departure)


@dataclass(frozen=True, slots=True)
class Released:
    """A camera that was let go."""

    departure: Departure
    revoked: list[Issued]


def waiting_by_recorder(path: Path, timeout_s: float = 20.0) -> list[str]:
    """Names of files without a receipt, as the running recorder says. Raises `ServerUnreachable`."""
    found: list[str] = []
    after: str | None = None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            with connection.makefile("rwb") as lines:

                def ask(request: StatusRequest | ListRequest) -> Answer:
                    lines.write(msgspec.json.encode(request) + b"\n")
                    lines.flush()
                    answer: Answer = answer_decoder.decode(lines.readline(_LINE_BYTES))
                    return answer

                status = ask(StatusRequest())
                if isinstance(status, Status) and status.recording is not None:
                    raise EvidenceLeft(f"the camera is recording {status.recording}: let it end, and dock it")
                while True:
                    answer = ask(ListRequest(after=after))
                    if isinstance(answer, Refused):
                        raise ServerUnreachable(f"the recorder refuses to list its spool: {answer.error}")
                    if not isinstance(answer, Spool):
                        raise ServerUnreachable("the recorder answers something else than its spool")
                    found += [file.name for file in answer.files if file.state == "waiting"]
                    if not answer.more or not answer.files:
                        return found
                    after = answer.files[-1].name
    except (OSError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ServerUnreachable(
            f"the recorder at {path} cannot be asked: {error}; give its spool with --spool if the camera is off"
        ) from error


def waiting_in_spool(directory: Path) -> list[str]:
    """All evidence files on a card whose recorder does not run: without it nobody knows of receipts, so all count."""
    if not directory.is_dir():
        raise BadAuthority(f"{directory} is no spool directory")
    return sorted(path.name for path in directory.iterdir() if ".evidence" in path.name)


def depart(signer: Signer, serial: str, waiting: list[str], left: str) -> bytes:
    """The signed departure, as DER. Raises `EvidenceLeft` (rule 1)."""
    if waiting and not left:
        raise EvidenceLeft(
            f"{len(waiting)} files have no receipt yet ({', '.join(waiting[:3])}…): dock the camera until none wait, "
            "or say with --evidence-left WHY they are left behind"
        )
    at = now()
    document = Departure(
        v=1,
        serial=serial,
        at=moment(int(at.timestamp()) * 10**9),
        waiting=len(waiting),
        names=tuple(waiting[:_NAMED]),
        left=left if waiting else "",
    )
    return cms.sign(encode_canonical(document), signer, at)


def decode_departure(payload: bytes) -> Departure:
    """What a camera signed. Raises `evidence.errors.MalformedStatement`."""
    departure: Departure = decode_canonical(payload, _DECODER)
    return departure


def release(keys: Keys, signed: bytes, to: str) -> Released:
    """Let a camera go: check its departure, take its certificates back. Raises `FleetError`, `EvidenceError`."""
    message = cms.parse_signed(signed)
    departure = decode_departure(message.payload)
    found = None
    for generation in keys.store.generations:
        try:
            lists = [keys.store.directory / "lists" / "revoked.crl"]
            trust = Trust.load(generation.directory / "root.pem", lists)
            trust.check(message, role="camera", serial=departure.serial, at=now())
            found = generation
            break
        except EvidenceError:
            if generation is keys.store.current:
                raise
    assert found is not None
    age = now() - when(departure.at)
    if not -dt.timedelta(hours=1) <= age <= LONGEST:
        raise EvidenceLeft(f"the departure is from {departure.at}: the camera may have recorded since, make a new one")
    if departure.waiting and not departure.left:
        raise EvidenceLeft(f"{departure.serial} still holds {departure.waiting} files without a receipt")
    rows = revoking.find(keys.store, departure.serial)
    details = f"to {to}; {departure.waiting} files without a receipt" + (
        f": {departure.left}" if departure.left else ""
    )
    keys.store.register.note("transferred", departure.serial, details, int(now().timestamp()))
    return Released(departure, revoking.revoke(keys, rows, "transferred"))

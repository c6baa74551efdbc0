"""A new identity for a card that was flashed before: `identity.toml` on partition 1, and not a byte of anything else.

For a camera whose token ran out before it enrolled, or whose enrolment server or station moved before that. Refused:

1. A card that says it is another camera's, another board's or another agency's, or that says nothing: flash it whole.
2. A card whose token is gone. That camera has enrolled: keys and perhaps evidence lie on it, and nobody reads another.
3. A card that the asset log knows nothing of, or not as this serial's: a crushed card's serial lives on another one.
"""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from cryptography import x509

from evidence.errors import EvidenceError
from evidence.statements import moment
from fleet.assets import AssetLog, Renewed, last_of
from fleet.authority_store import fingerprint
from fleet.camera_identity import AGENCY, CameraIdentity
from fleet.camera_identity import FILE as IDENTITY
from fleet.errors import BadImage, CardRefused, FleetError
from fleet.flash.card import Card, open_alone
from fleet.flash.card_writer import CardWriter
from fleet.flash.first_partition import files_of, write_files
from fleet.flash.identity import AgencyFiles, Enrolment, identity_of
from fleet.flash.image import FirstPartition, labelled, partition_one

ROOT: Final = f"{AGENCY}/root.pem"
_SMALLEST: Final = 2**20


@dataclass(frozen=True)
class NewIdentities:
    """What the cards of one run get."""

    board: str
    agency: AgencyFiles
    enrolment: Enrolment
    token_of: Callable[[str], str]
    """Asked when the card is known to be the right one."""
    assets: AssetLog
    technician: str
    why: str
    vehicles: Mapping[str, str]
    """A vehicle that is not named here stays what it was."""


def renew(pairs: Sequence[tuple[str, Card]], wanted: NewIdentities, say: Callable[[str], None]) -> int:
    """One card after the other; how many failed. One that fails does not stop the others."""
    failed = 0
    for serial, card in pairs:
        try:
            _one(serial, card, wanted)
            say(f"{serial}  {card.path}  new identity; nothing else on the card was changed")
        except (FleetError, EvidenceError, OSError) as error:
            failed += 1
            say(f"{serial}  {card.path}  FAILED: {error}")
    return failed


def _one(serial: str, card: Card, wanted: NewIdentities) -> None:
    _check_log(serial, card, wanted.assets)
    descriptor = open_alone(card, _SMALLEST)
    try:
        writer = CardWriter(card, descriptor)
        partition = _first_partition(writer, card)
        old = _check(writer, partition, serial, wanted)
        vehicle = wanted.vehicles.get(serial, old.vehicle)
        text = identity_of(
            serial, wanted.board, wanted.enrolment, wanted.agency.root_sha256, wanted.token_of(serial), vehicle
        )
        try:
            write_files(writer, partition, {IDENTITY: text})
        except BaseException:
            wanted.assets.add(_entry(serial, card, wanted, "failed"))
            raise
        wanted.assets.add(_entry(serial, card, wanted, "ready"))
    finally:
        os.close(descriptor)


def _check_log(serial: str, card: Card, assets: AssetLog) -> None:
    """Rule 3."""
    last = last_of(assets.read()).get(serial)
    if last is None:
        raise CardRefused(f"{serial} is not in {assets.path}: name the log of where its card was flashed (--assets)")
    if last.card_bytes != card.size_bytes:
        raise CardRefused(
            f"{serial} was last flashed on {last.at[:10]} onto a card of {last.card_bytes} bytes, and this one has "
            f"{card.size_bytes}: it is an old card of this camera, or another's; flash it whole, or destroy it"
        )


def _first_partition(writer: CardWriter, card: Card) -> FirstPartition:
    try:
        begin, size = partition_one(writer.read(0, 512))
        if begin + size > card.size_bytes or not labelled(writer.read(begin, 512)):
            raise BadImage("no partition FIRSTHAND")
    except BadImage as error:
        raise CardRefused(f"{card.path} is no camera's card: flash it whole, with an image") from error
    return FirstPartition(begin, size)


def _check(writer: CardWriter, partition: FirstPartition, serial: str, wanted: NewIdentities) -> CameraIdentity:
    """What the card says of itself, if it is what it should be (rules 1 and 2). Raises `CardRefused`."""
    found = files_of(writer.read(partition.begin, partition.size), (IDENTITY, ROOT))
    try:
        old = msgspec.convert(tomllib.loads((found[IDENTITY] or b"").decode()), CameraIdentity)
        root = fingerprint(x509.load_pem_x509_certificate(found[ROOT] or b""))
    except (ValueError, RecursionError, x509.InvalidVersion) as error:  # neither text nor token of it is repeated
        raise CardRefused("the card does not say whose it is: flash it whole, with an image") from error
    for what, has, wants in (("camera", old.serial, serial), ("board", old.board, wanted.board)):
        if has != wants:
            raise CardRefused(f"the card is of the {what} {has}, not {wants}: take the right card, or flash it whole")
    if root != wanted.agency.root_sha256:
        raise CardRefused("the card is of another agency, or of an older root: flash it whole, with an image")
    if old.enrol.token is None:
        raise CardRefused(
            f"{serial} has enrolled with this card: its keys and perhaps evidence lie on it, and a new token would "
            "never be read; dock it, and flash it whole if it must begin anew"
        )
    return old


def _entry(serial: str, card: Card, wanted: NewIdentities, result: Literal["ready", "failed"]) -> Renewed:
    return Renewed(
        v=1,
        at=moment(int(dt.datetime.now(dt.UTC).timestamp() * 1e6) * 1000),
        result=result,
        serial=serial,
        device=str(card.path)[-128:],
        card_model=card.model,
        card_serial=card.serial,
        card_bytes=card.size_bytes,
        technician=wanted.technician,
        why=wanted.why,
    )

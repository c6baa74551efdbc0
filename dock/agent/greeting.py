"""Who the station is, settled before the first byte of evidence (R6), and whether a receipt is about our file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from dock.agent.clock_offset import ClockOffset, Sent, measure
from dock.errors import BadReceipt, StationFailed, WrongStation
from dock.revoked import revoked_because
from dock.tls import valid_at
from dock.transport.https import StationLink, refuse
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Contact, Receipt, SpoolFile, decode_contact, decode_receipt
from evidence.statements import LogHead, moment_ns
from evidence.trust import Trust
from hal import program_time


@dataclass(frozen=True)
class Greeted:
    """A station that proved whose it is."""

    contact: Contact
    signed: bytes
    """The greeting as it came (DER), for the recorder."""
    at: dt.datetime
    """The time to judge certificates by in this session."""
    clock: ClockOffset
    """Our clock against the station's."""


def greet(
    link: StationLink,
    trust: Trust,
    *,
    serial: str,
    system_id: str,
    now: dt.datetime | None,
    log_head: LogHead | None,
    authorities: Sequence[x509.Certificate] = (),
) -> Greeted:
    """Ask for the station's signed greeting and check it. Blocks.

    `now` is our time; None if our clock is known to be wrong, then the greeting's own time counts, also for the
    station's TLS certificate. Raises `WrongStation`, or a `TransportError`.
    """
    said = (
        {} if log_head is None else {"log_head": {name: getattr(log_head, name) for name in log_head.__struct_fields__}}
    )
    asked = _moment_now()
    answer = link.call("POST", "/contact", {"Content-Type": "application/json"}, json.dumps(said).encode())
    answered = _moment_now()
    refuse(answer, "greeting the station")
    if not answer.body:
        raise StationFailed("greeting the station: an empty answer")
    try:
        message = cms.parse_signed(answer.body)
        contact = decode_contact(message.payload)
        at = now or _utc(contact.now)
        trust.check(message, role="receipt", at=at)
    except EvidenceError as error:
        raise WrongStation(f"the station's greeting is not to be trusted: {error}") from error
    if contact.system_id != system_id:
        raise WrongStation(f"this station belongs to system {contact.system_id!r}, not to {system_id!r}")
    if contact.serial != serial:
        raise WrongStation(f"the station's greeting is for camera {contact.serial}, not for {serial}")
    certificate = link.server_certificate()
    taken = revoked_because(certificate, authorities, trust.revocations) if certificate is not None else None
    if taken is not None:
        raise WrongStation(f"the station's TLS certificate does not count any more: {taken}")
    if now is None and certificate is not None and not valid_at(certificate, at):
        raise WrongStation("the station's TLS certificate is not valid at the time it tells")
    clock = measure(asked, answered, moment_ns(contact.now), contact.uncertainty_ms)
    return Greeted(contact, answer.body, at, clock)


def check_receipt(
    signed: bytes, file: SpoolFile, trust: Trust, *, serial: str, system_id: str, at: dt.datetime
) -> Receipt:
    """Is it for this file, and from a station of ours? The recorder checks all of it again. Raises `BadReceipt`."""
    try:
        message = cms.parse_signed(signed)
        receipt = decode_receipt(message.payload)
        trust.check(message, role="receipt", at=at)
    except EvidenceError as error:
        raise BadReceipt(f"the receipt for {file.name} is not to be trusted: {error}") from error
    told = (receipt.serial, receipt.stream, receipt.number, receipt.name, receipt.bytes, receipt.system_id)
    if told != (serial, file.stream, file.number, file.name, file.bytes, system_id):
        raise BadReceipt(f"the receipt is for {receipt.name} of {receipt.serial}, not for {file.name} as it is here")
    if receipt.verdict == "valid" and receipt.close_hash != file.close_hash:
        raise BadReceipt(f"the receipt for {file.name} names another close hash")
    return receipt


def _moment_now() -> Sent:
    return Sent(program_time.utc_ns(), program_time.boottime_ns())


def _utc(text: str) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment_ns(text) // 1000)

"""Greetings and receipts that are right in everything but where they lie, and signed by whoever is asked to (R38)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from dock.names import parse_name
from dock.station.upload import UploadRecord
from evidence import cms
from evidence.errors import BadKey
from evidence.handover import Contact, Receipt, decode_contact, decode_receipt
from evidence.keys import FileSigner, Signer
from evidence.statements import encode_canonical, moment
from simulator.lies import ForgedGreeting, ForgedReceipt
from simulator.run_errors import WorldRefused
from simulator.station_keys import EXPIRED, FOREIGN

_OTHER_ROLE: Final = "profile"
"""A key of the agency that may sign, but no receipts."""
_SIGNED_BY: Final[Mapping[str, str]] = {
    "greeting_expired": EXPIRED,
    "greeting_foreign": FOREIGN,
    "expired": EXPIRED,
    "other_agency": FOREIGN,
    "other_role": _OTHER_ROLE,
}


class Forger:
    """Changes what a station signed. `utc_ns` is the station's clock, `pki` where the false keys lie."""

    def __init__(self, own: Signer, pki: Path, utc_ns: Callable[[], int]) -> None:
        self._own = own
        self._pki = pki
        self._utc_ns = utc_ns
        self._earlier: dict[str, bytes] = {}

    def can(self, what: str) -> None:
        """Raises `WorldRefused` if the key for that lie is not here."""
        self._signer(what)

    def seen(self, name: str, signed: bytes) -> None:
        """Remember an honest receipt, to replay it for another file."""
        self._earlier.setdefault(name, signed)

    def greeting(self, honest: bytes, what: ForgedGreeting) -> bytes:
        """The greeting with that lie in it."""
        contact = decode_contact(cms.parse_signed(honest).payload)
        if what == "wrong_system":
            contact = msgspec.structs.replace(contact, system_id="another-department")
        return self._sign(contact, what)

    def receipt(self, name: str, honest: bytes, what: ForgedReceipt) -> bytes | None:
        """The receipt with that lie in it; None if there is nothing yet to replay."""
        if what == "replayed":
            return next((signed for other, signed in self._earlier.items() if other != name), None)
        receipt = decode_receipt(cms.parse_signed(honest).payload)
        match what:
            case "wrong_hash":
                receipt = msgspec.structs.replace(receipt, sha256=hashlib.sha256(b"other bytes").hexdigest())
            case "wrong_length":
                receipt = msgspec.structs.replace(receipt, bytes=receipt.bytes - 1)
            case "other_camera":
                receipt = msgspec.structs.replace(receipt, serial="SIM-9999")
            case "not_valid":
                receipt = msgspec.structs.replace(receipt, verdict="not_valid", findings=("a signature is missing",))
        return self._sign(receipt, what)

    def incomplete(self, record: UploadRecord, held: bytes, station: str, system_id: str) -> bytes:
        """A station's confirmation of a file of which it holds only this much: Nashville."""
        name = parse_name(record.name)
        receipt = Receipt(
            v=1, serial=name.serial, stream=name.stream, number=name.number, name=record.name, bytes=len(held),
            sha256=hashlib.sha256(held).hexdigest(), close_hash=record.close_hash or "0" * 64, nonce="0" * 32,
            store=f"directory:{station}", object_version="1", retention_class="standard", verdict="valid",
            station=station, system_id=system_id, issued=moment(self._utc_ns()),
        )  # fmt: skip
        return self._sign(receipt, "incomplete")

    def _sign(self, said: Contact | Receipt, what: str) -> bytes:
        when = dt.datetime.fromtimestamp(self._utc_ns() / 1e9, dt.UTC)
        return cms.sign(encode_canonical(said), self._signer(what), when)

    def _signer(self, what: str) -> Signer:
        stem = _SIGNED_BY.get(what)
        if stem is None:
            return self._own
        try:
            return FileSigner.load(self._pki / f"{stem}.key", self._pki / f"{stem}.pem")
        except (OSError, BadKey) as error:
            raise WorldRefused(f"the key for this lie is not there, {stem}.key: {error}") from error

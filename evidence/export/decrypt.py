"""Opening sealed objects with a vault key, and holding each against the commitment that the camera signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.errors import BadKey, BrokenChain, CannotDecrypt, MalformedStatement
from evidence.export.items import ObjectItem, read_at
from evidence.keys import load_certificates, load_private_key, same_public_key
from evidence.sealed import Recipient, open_sealed
from evidence.statements import Open


@dataclass(frozen=True, slots=True)
class Vault:
    """One vault certificate with its private key."""

    recipient: Recipient
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Vault:
        """From PEM files; the first certificate counts. Raises `BadKey`."""
        recipient = Recipient.of(load_certificates(certificate)[0])
        private = load_private_key(key)
        if not same_public_key(private, recipient.certificate):
            raise BadKey(f"the key in {key} does not belong to the certificate in {certificate}")
        return cls(recipient, private)

    def check_recipient(self, opened: Open) -> None:
        """Raises `CannotDecrypt` if the recording was not sealed to this certificate."""
        if self.recipient.sha256 not in opened.recipients:
            raise CannotDecrypt(
                "the recording is not sealed to this vault certificate: it needs the key of the certificate with "
                f"SHA-256 {' or '.join(opened.recipients)}"
            )

    def plaintext(self, file: BinaryIO, item: ObjectItem) -> bytes:
        """One object's content, as the camera committed to it.

        Raises `CannotDecrypt` or `MalformedDer` for an object that was altered or is sealed to another key, and
        `BrokenChain` for one that no statement announced or whose content is not what the statement committed to.
        """
        if item.announced is None:
            raise BrokenChain(f"item {item.number:06d}: no statement announced this object")
        data = open_sealed(read_at(file, item), self.recipient, self.key)
        if hashlib.sha256(data).hexdigest() != item.announced.commitment:
            raise BrokenChain(
                f"item {item.number:06d}: the decrypted content is not what statement seq {item.announced.seq} "
                "committed to"
            )
        return data


def read_metadata(data: bytes) -> dict[str, Any]:
    """A metadata object's JSON without its salt. Raises `MalformedStatement`."""
    try:
        values = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedStatement(f"a metadata object is not JSON: {error}") from error
    return {name: value for name, value in values.items() if name != "salt"}

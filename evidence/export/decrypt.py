"""Opening sealed objects with a vault key, and holding each against the commitment that the camera signed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from evidence.errors import BrokenChain, CannotDecrypt, MalformedStatement
from evidence.export.items import ObjectItem, read_at
from evidence.keys import VaultKey, load_certificates, load_vault_key
from evidence.sealed import Recipient, open_sealed
from evidence.statements import Open


@dataclass(frozen=True, slots=True)
class Vault:
    """One vault certificate with its private key, in a file or in a token."""

    recipient: Recipient
    key: VaultKey
    on_open: Callable[[str], None] | None = None
    """Told the SHA-256 of each sealed object before it is opened."""

    @classmethod
    def load(cls, certificate: Path, key: Path | str) -> Vault:
        """From a PEM certificate, the first one counts, and a key by path or URI. Raises `BadKey`."""
        recipient = Recipient.of(load_certificates(certificate)[0])
        return cls(recipient, load_vault_key(str(key), recipient.certificate))

    def told(self, on_open: Callable[[str], None]) -> Vault:
        """The same vault, which tells what it opens."""
        return replace(self, on_open=on_open)

    def check_recipient(self, opened: Open) -> None:
        """Raises `CannotDecrypt` if the recording was not sealed to this certificate."""
        if self.recipient.sha256 not in opened.recipients:
            raise CannotDecrypt(
                "the recording is not sealed to this vault certificate: it needs the key of the certificate with "
                f"SHA-256 {' or '.join(opened.recipients)}"
            )

    def plaintext(self, file: BinaryIO, item: ObjectItem, *, hashed: bool = True) -> bytes:
        """One object's content, as the camera committed to it.

        Without `hashed`, the sealed bytes are not held against their digest once more: that nobody altered them since
        they were walked over is then known by their authentication tag, and by the commitment to what they hold.

        Raises `CannotDecrypt` or `MalformedDer` for an object that was altered or is sealed to another key, and
        `BrokenChain` for one that no statement announced or whose content is not what the statement committed to.
        """
        if item.announced is None:
            raise BrokenChain(f"item {item.number:06d}: no statement announced this object")
        sealed = read_at(file, item, hashed=hashed)
        if self.on_open is not None:
            self.on_open(item.sha256)
        data = open_sealed(sealed, self.recipient, self.key)
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

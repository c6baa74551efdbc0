"""A file that only the vaults' holders open: a tar.gz in sealed parts, its digest signed by who made it (R41).

1. Each part is one sealed object (`evidence.sealed`, CMS AuthEnvelopedData), so openssl opens it too. Its plaintext
   begins with its number and whether it is the last: parts cannot be swapped, left out or cut off.
2. The last part is a signed statement with the SHA-256 of the tar.gz. Anyone can seal to a vault's public certificate;
   only the station signs. Nothing is unpacked before the signature and the digest hold.
3. Whoever makes the file cannot read it again: a timer can make it without any secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal

import msgspec
from cryptography import x509

from evidence import cms, der
from evidence.durable import AppendFile
from evidence.errors import EvidenceError, MalformedDer
from evidence.keys import Signer, VaultKey
from evidence.limits import OBJECT_BYTES
from evidence.sealed import Recipient, open_sealed, seal
from evidence.statements import Count, Frozen, Hash, Moment, Name, decode_canonical, encode_canonical, moment
from evidence.trust import Trust
from fleet.authority_store import now
from fleet.errors import BadBackup

PART_BYTES: Final = 8 * 2**20
_HEAD_BYTES: Final = 9


class Archived(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="station_backup"):
    """What the station signs of its own backup."""

    v: Literal[1]
    station: Name
    system_id: Name
    at: Moment
    sha256: Hash
    """Of the tar.gz."""
    bytes: Count


_DECODER: Final = msgspec.json.Decoder(Archived)


class ArchiveWriter:
    """A binary file to write a tar.gz into; `finish` makes it whole."""

    def __init__(self, path: Path, recipients: Sequence[Recipient]) -> None:
        """Raises FileExistsError, OSError."""
        self._file = AppendFile.create(path, mode=0o600)
        self._recipients = recipients
        self._waiting = bytearray()
        self._hash = hashlib.sha256()
        self._bytes = self._parts = 0

    def write(self, data: bytes) -> int:
        """As files have it, for tarfile."""
        self._hash.update(data)
        self._bytes += len(data)
        self._waiting += data
        while len(self._waiting) >= PART_BYTES:
            self._put(bytes(self._waiting[:PART_BYTES]), last=False)
            del self._waiting[:PART_BYTES]
        return len(data)

    def finish(self, signer: Signer, station: str, system_id: str) -> Archived:
        """The rest, and the signed statement. Durable. Raises `EvidenceError`, OSError."""
        self._put(bytes(self._waiting), last=False)
        at = now()
        said = Archived(
            v=1,
            station=station,
            system_id=system_id,
            at=moment(int(at.timestamp()) * 10**9),
            sha256=self._hash.hexdigest(),
            bytes=self._bytes,
        )
        self._put(cms.sign(encode_canonical(said), signer, at), last=True)
        return said

    def _put(self, data: bytes, *, last: bool) -> None:
        head = self._parts.to_bytes(8, "big") + bytes([last])
        self._file.append([bytes(seal([head, data], self._recipients))])
        self._parts += 1

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def open_archive(path: Path, out: BinaryIO, certificate: x509.Certificate, key: VaultKey, trust: Trust) -> Archived:
    """Write the tar.gz into `out`, and check rules 1 and 2. Raises `BadBackup`, `EvidenceError`, OSError."""
    digest, recipient, number, size = hashlib.sha256(), Recipient.of(certificate), 0, 0
    with path.open("rb") as file:
        while True:
            plain = open_sealed(_next_object(file), recipient, key)
            if int.from_bytes(plain[:8], "big") != number or len(plain) < _HEAD_BYTES or plain[8] > 1:
                raise BadBackup(f"{path}: its parts are not in their order: it is damaged, or was put together by hand")
            data, number = plain[_HEAD_BYTES:], number + 1
            if plain[8]:
                break
            digest.update(data)
            size += len(data)
            out.write(data)
        if file.read(1):
            raise BadBackup(f"{path}: something stands behind its end")
    message = cms.parse_signed(data)
    trust.check(message, role="receipt")
    said: Archived = decode_canonical(message.payload, _DECODER)
    if (said.sha256, said.bytes) != (digest.hexdigest(), size):
        raise BadBackup(f"{path}: its content is not what the station signed")
    return said


def _next_object(file: BinaryIO) -> bytes:
    head = file.read(der.MAX_HEADER_BYTES)
    try:
        found = der.read_header(head)
    except EvidenceError as error:
        raise BadBackup("this is no backup of a station") from error
    if found is None:
        raise BadBackup("the backup ends before its last part: it is cut off")
    whole = found[1] + found[2]
    if whole > OBJECT_BYTES:
        raise MalformedDer("a part of the backup is larger than any of ours")
    data = head[:whole] + file.read(max(0, whole - len(head)))
    if len(data) != whole:
        raise BadBackup("the backup ends before its last part: it is cut off")
    file.seek(whole - max(whole, len(head)), 1)
    return data

"""Vault proofs: the vault's holder says that all objects of a file open as they were committed to (invariant 8, R40).

A camera cannot know whether anybody can open what it seals (invariant 4): a vault certificate whose key is lost would
turn every deletion into a loss. So the holder opens a stored file where the key lives, and signs what was seen. The
rules of what such a proof allows stand in docs/design/vault-proof.md. Pure.

`VaultProof` is CMS SignedData of a certificate of the `proof` role around canonical JSON. `ProofsWanted` is a station's
work list for the holder: it is not signed, since nothing follows from it but work.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.cms import parse_signed
from evidence.errors import MalformedStatement, UntrustedSigner
from evidence.limits import PROOF_BYTES, RECIPIENTS
from evidence.roles import serial_of
from evidence.statements import Count, Frozen, Hash, Moment, Name, Serial, Stream, decode_canonical, moment_ns
from evidence.trust import Trust
from evidence.verify import file_name

SUFFIX: Final = ".proof.p7s"
"""Stands behind the file's whole name: ``SIM-0001-000001.evidence.proof.p7s``."""
LIST_BYTES: Final = 16 * 1024 * 1024
"""Largest work list that is read."""
MOST_WANTED: Final = 20_000
"""Files on one work list; the rest stands on the next."""
Path = Annotated[str, Meta(min_length=1, max_length=4096)]


class VaultProof(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="vault_proof"):
    """The vault holder's word that every sealed object of one file opens."""

    v: Literal[1]
    serial: Serial
    """The camera, as `open` states it."""
    stream: Stream
    number: Count
    name: Name
    """The file's name on the camera."""
    bytes: Count
    sha256: Hash
    """Of the whole file, as it was opened."""
    close_hash: Hash
    """SHA-256 of the file's last statement."""
    vault_sha256: Hash
    """SHA-256 of the vault certificate (DER) whose key opened the objects."""
    firmware_sha256: Hash
    """The firmware that sealed them, as `open` states it."""
    objects: Annotated[int, Meta(ge=1, le=2**53)]
    """Sealed objects in the file: all of them were opened, and each plaintext has the SHA-256 that was committed to."""
    first_object: Hash
    """SHA-256 of the first sealed object's DER."""
    last_object: Hash
    """SHA-256 of the last one's."""
    holder: Name
    """Serial in the certificate that signs this."""
    issued: Moment
    """When the objects were opened, by the holder's clock."""

    @property
    def pair(self) -> tuple[str, str]:
        """Vault certificate and camera firmware that this proof is about."""
        return self.vault_sha256, self.firmware_sha256


class WantedProof(Frozen, frozen=True, kw_only=True):
    """One file that the vault's holder should open."""

    path: Path
    """Where the station has it."""
    name: Name
    """The file's name on the camera."""
    sha256: Hash
    bytes: Count
    why: Literal["first", "critical"]
    """`first`: no proof yet for this camera, vault certificate and firmware; `critical`: this very recording."""
    vaults: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=RECIPIENTS)]
    """SHA-256 of the vault certificates that it is sealed to: the key of any of them will do."""


class ProofsWanted(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="proofs_wanted"):
    """A station's work list for the vault's holder."""

    v: Literal[1]
    files: Annotated[tuple[WantedProof, ...], Meta(max_length=MOST_WANTED)]


_PROOFS: Final = msgspec.json.Decoder(VaultProof)
_LISTS: Final = msgspec.json.Decoder(ProofsWanted)


def decode_vault_proof(payload: bytes) -> VaultProof:
    """A proof from its canonical JSON. Raises `MalformedStatement`."""
    proof = decode_canonical(payload, _PROOFS)
    if proof.name != file_name(proof.serial, proof.stream, proof.number):
        raise MalformedStatement(f"the proof names {proof.name!r}, which is not {proof.stream} {proof.number}")
    return proof


def check_vault_proof(document: bytes, trust: Trust) -> VaultProof:
    """A proof that its holder signed: `proof` role under the root, not taken back, itself as the named holder.

    Validity is judged at the holder's own time, since a camera's clock is nothing to judge by (invariant 10). Whether
    it is about the right file is the caller's question. Raises `EvidenceError`.
    """
    message = parse_signed(document, limit=PROOF_BYTES)
    proof = decode_vault_proof(message.payload)
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment_ns(proof.issued) // 1000)
    trust.check(message, role="proof", at=at)
    if serial_of(message.certificate) != proof.holder:
        raise UntrustedSigner(f"the proof names {proof.holder} as the holder, {serial_of(message.certificate)} signed")
    return proof


def decode_proofs_wanted(data: bytes) -> ProofsWanted:
    """A work list from its JSON, white space allowed. Raises `MalformedStatement`."""
    try:
        return _LISTS.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedStatement(f"not a station's work list (of `firsthand-dock proofs`): {error}") from error

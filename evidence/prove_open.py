"""Opening every sealed object of a file with the vault's key, for a vault proof (invariant 8, R40).

1. The file was verified before: what does not verify proves nothing.
2. Every object is opened, none is sampled, and each plaintext must have the SHA-256 that the camera committed to.
3. The bytes that were opened are those that were verified: they are hashed again while they are read.
4. Memory is bounded by one object (32 MiB) and its plaintext, which is looked at and dropped: nothing is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evidence import cms
from evidence.errors import BadKey, BrokenChain, NotEvidence
from evidence.export.ahead import HashedReader
from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, Rest, walk
from evidence.keys import Signer
from evidence.roles import role_of, serial_of
from evidence.statements import encode_canonical, moment
from evidence.trust import Trust
from evidence.vault_proof import VaultProof
from evidence.verify import Report, file_name


@dataclass(frozen=True, slots=True)
class Opened:
    """All objects of one file, opened."""

    objects: int
    first: str
    last: str


def check_holder(signer: Signer, trust: Trust) -> str:
    """The serial of the vault's holder. Raises `BadKey` for a certificate that cannot prove, `UntrustedSigner`."""
    serial = serial_of(signer.certificate)
    if role_of(signer.certificate) != "proof" or serial is None:
        raise BadKey(
            "--cert must be a certificate of the proof role with a serial: ask the agency's technician for one"
        )
    trust.check_chain(signer.chain)
    return serial


def open_all(path: Path, report: Report, vault: Vault, on_bytes: Callable[[int], None]) -> Opened:
    """Open every object of a file whose `report` is valid. Raises `EvidenceError` at the first that does not open."""
    assert report.valid
    assert report.opened is not None
    vault.check_recipient(report.opened)
    first = last = ""
    objects = 0
    try:
        with path.open("rb") as file:
            hashed = HashedReader(file)
            for item in walk(hashed, on_bytes):  # type: ignore[arg-type]  # it reads, and asks for the descriptor
                if isinstance(item, Rest):
                    raise BrokenChain(f"{path.name} changed while it was read: {item.problem}")
                if isinstance(item, ObjectItem):
                    vault.plaintext(file, item)
                    first, last, objects = first or item.sha256, item.sha256, objects + 1
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    if (hashed.digest.hexdigest(), objects) != (report.sha256, report.objects):
        raise BrokenChain(f"{path.name} changed while it was read: run it again on a copy that nobody writes to")
    if not objects:
        raise BrokenChain(f"{path.name} holds no sealed object: it proves nothing about the vault")
    return Opened(objects, first, last)


def sign_proof(report: Report, opened: Opened, vault: Vault, signer: Signer, now: dt.datetime) -> bytes:
    """The signed proof (DER). `now` is the holder's clock."""
    said = report.opened
    assert said is not None
    assert report.close_hash is not None
    holder = serial_of(signer.certificate)
    assert holder is not None
    proof = VaultProof(
        v=1,
        serial=said.serial,
        stream=said.stream,
        number=said.number,
        name=file_name(said.serial, said.stream, said.number),
        bytes=report.bytes,
        sha256=report.sha256,
        close_hash=report.close_hash,
        vault_sha256=vault.recipient.sha256,
        firmware_sha256=said.camera.firmware_sha256,
        objects=opened.objects,
        first_object=opened.first,
        last_object=opened.last,
        holder=holder,
        issued=moment(int(now.timestamp() * 1_000_000) * 1000),
    )
    return cms.sign(encode_canonical(proof), signer, now)

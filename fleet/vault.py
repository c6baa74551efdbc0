"""Vault keys: two at least, backed up, restored (R1, R34, R41). A lost vault key is lost evidence.

1. Production has two vaults with keys of their own before any camera is enrolled, unless a person accepts the loss in
   so many words.
2. A backup is an encrypted copy (`fleet.encrypted_key`) with its certificate beside it in one file, read back from the
   medium and tried on a fresh sealed object before it counts.
3. No verb here deletes or overwrites a key, ever: old keys open old evidence.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.errors import BadKey, CannotDecrypt, SigningFailed
from evidence.keys import (
    SIGNING_CURVES,
    FileVaultKey,
    VaultKey,
    in_token,
    key_path,
    load_certificates,
    load_private_key,
    load_vault_key,
    same_public_key,
)
from evidence.limits import KEY_FILE_BYTES
from evidence.sealed import Recipient, open_sealed, seal
from fleet import issuing
from fleet.authority_store import AuthorityStore, Keys, now
from fleet.encrypted_key import encrypted_pem, open_encrypted
from fleet.errors import BadAuthority, BadBackup, KeyAtRisk
from fleet.issuing import CURVES, Credential

ACCEPTED: Final = "--single-recipient-i-accept-the-loss"
FEWEST: Final = 2
"""Independent vault keys that every recording must be sealed to."""


@dataclass(frozen=True, slots=True)
class NewVault:
    """A vault that was made."""

    name: str
    key: Path
    certificate: Path


def live_vaults(store: AuthorityStore) -> int:
    """Live vault certificates with keys of their own."""
    now_s = int(now().timestamp())
    return len({row.spki for row in store.register.find("role = 'vault'") if row.live(now_s)})


def refuse_single(store: AuthorityStore, making: int, accepted: bool) -> None:
    """Rule 1. Raises `KeyAtRisk`."""
    if accepted or store.settings.simulated or live_vaults(store) + making >= FEWEST:
        return
    raise KeyAtRisk(
        f"one lost vault key would be all evidence lost: name {FEWEST} vaults that different people keep in different "
        f"places (firsthand-fleet vault new A B), or say {ACCEPTED}"
    )


def new_vaults(keys: Keys, names: Sequence[str], out: Path) -> list[NewVault]:
    """A key and a certificate for each name, in `out`. Durable. Raises `FleetError`, OSError."""
    stems = [re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "vault" for name in names]
    if len(set(stems)) != len(stems):
        raise BadAuthority("give each vault a name of its own")
    made = [NewVault(name, out / f"{stem}.key", out / f"{stem}.pem") for name, stem in zip(names, stems, strict=True)]
    for one in made:
        if one.key.exists() or one.certificate.exists():
            raise BadAuthority(f"{one.key} exists, and keys are never overwritten")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in made:
        try:
            leaf = issuing.vault_leaf(one.name, keys.store.settings.organization)
        except ValueError as error:
            raise BadAuthority(f"{one.name!r} cannot stand in a certificate: {error}") from error
        key = ec.generate_private_key(CURVES[keys.store.settings.curve])
        durable.write_new(one.key, Credential(key, ()).key_pem(), mode=0o600)
        chain = keys.issue(leaf, key.public_key())
        durable.write_new(one.certificate, issuing.pem(*chain), mode=0o644)
    return made


def opens(certificate: x509.Certificate, key: VaultKey) -> bool:
    """Whether the key opens what is sealed to the certificate: a fresh object, sealed and opened now."""
    recipient, secret = Recipient.of(certificate), os.urandom(64)
    try:
        return hmac.compare_digest(open_sealed(seal([secret], [recipient]), recipient, key), secret)
    except (CannotDecrypt, SigningFailed):
        return False


def back_up(key: str, certificate: Path, copies: Sequence[Path], passphrase: bytes) -> None:
    """Encrypted copies of a key that lies in a file; each is tried. Raises `FleetError`, `EvidenceError`, OSError."""
    if in_token(key):
        raise KeyAtRisk("a key in a token cannot be copied: its backup is another vault, which objects are sealed to")
    private = load_private_key(key_path(key), curves=SIGNING_CURVES)
    chain = load_certificates(certificate)
    if not same_public_key(private, chain[0]):
        raise BadKey(f"the key {key} does not belong to the certificate {certificate}")
    for path in copies:
        durable.write_new(path, encrypted_pem(private, passphrase) + issuing.pem(*chain), mode=0o600)
        open_copy(path, passphrase)


def open_copy(path: Path, passphrase: bytes) -> Credential:
    """The key and certificate in a backup, tried on a fresh object. Raises `BadBackup`, `BadPassphrase`, `BadKey`."""
    with path.open("rb") as file:  # what was just written would come out of memory: ask the medium
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    key = open_encrypted(path, passphrase)
    chain = load_certificates(path)
    if not same_public_key(key, chain[0]) or not opens(chain[0], FileVaultKey(key)):
        raise BadBackup(f"{path} does not open what is sealed to its certificate: make the backup again")
    return Credential(key, tuple(chain))


def restore(copy: Path, passphrase: bytes, out: Path) -> x509.Certificate:
    """A usable key (`out`, mode 0600) and certificate (``.pem`` beside it) from a backup.

    Raises `FleetError`, `EvidenceError`, OSError.
    """
    found = open_copy(copy, passphrase)
    durable.write_new(out, found.key_pem(), mode=0o600)
    durable.write_new(out.with_suffix(".pem"), found.chain_pem(), mode=0o644)
    return found.certificate


def is_encrypted(path: Path) -> bool:
    """Whether a file is a backup and needs a passphrase."""
    with path.open("rb") as file:
        return b"ENCRYPTED PRIVATE KEY" in file.read(KEY_FILE_BYTES)


def load_any_key(key: str, certificate: x509.Certificate, passphrase: bytes | None) -> VaultKey | None:
    """The vault key that `key` names (file, backup, ``pkcs11:`` URI), if it belongs to the certificate. None if not."""
    if in_token(key):
        try:
            return load_vault_key(key, certificate)
        except BadKey as error:
            if "does not belong" in str(error):
                return None
            raise
    path = key_path(key)
    if passphrase is not None and path.exists() and is_encrypted(path):
        private = open_encrypted(path, passphrase)
    else:
        private = load_private_key(path, curves=SIGNING_CURVES)
    return FileVaultKey(private) if same_public_key(private, certificate) else None

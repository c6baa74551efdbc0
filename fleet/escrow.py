"""The escrow check: does every vault key that recordings are sealed to exist, and does it open? (R34, R41)

Each recipient of device.toml is tried with a fresh sealed object. A key that is at hand is tried here; a key that lies
elsewhere answers a challenge: one object, sealed to all, with a secret in it. Whoever opens it reads a short code out,
by telephone if need be. The code is bound to the recipient, and nothing about evidence is in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from evidence import durable
from evidence.errors import BadKey, CannotDecrypt
from evidence.keys import load_certificates
from evidence.limits import RECIPIENTS
from evidence.sealed import Recipient, open_sealed, seal
from evidence.settings import BadSettings, read_toml
from fleet.errors import BadBackup
from fleet.issued import owner_of, spki_of
from fleet.vault import FEWEST, load_any_key, opens

_CHALLENGE_BYTES: Final = 64 * 1024
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Escrow:
    """What the check found out about one recipient."""

    path: Path
    certificate: x509.Certificate
    proven: str | None
    """By what: a key, or a code; None if nothing opened for it."""

    @property
    def name(self) -> str:
        return owner_of(self.certificate)


class _Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Beside a challenge: recipient's SHA-256 -> SHA-256 of its code. The secret itself is forgotten."""

    codes: dict[str, str]


def recipients_of(config: Path) -> list[Path]:
    """The vault certificates that a device.toml names. Raises `BadSettings`."""
    keys = read_toml(config).get("keys")
    names = keys.get("vault") if isinstance(keys, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadSettings(f"{config}: keys.vault names no vault certificates")
    if len(names) > RECIPIENTS:
        raise BadSettings(f"{config}: keys.vault names more than {RECIPIENTS} certificates")
    return [config.resolve().parent / name for name in names]


def check(
    paths: Sequence[Path],
    keys: Sequence[str],
    passphrase: bytes | None,
    codes: Sequence[str] = (),
    challenge: Path | None = None,
) -> list[Escrow]:
    """Try each recipient with the keys and codes. Raises `EvidenceError`, `FleetError`."""
    expected = _load_expected(challenge) if challenge is not None else _Expected({})
    hashed = {hashlib.sha256(_normal(code).encode()).hexdigest() for code in codes}
    found: list[Escrow] = []
    for path in paths:
        certificate = load_certificates(path)[0]
        recipient = Recipient.of(certificate)
        proven = None
        for name in keys:
            key = load_any_key(name, certificate, passphrase)
            if key is not None and opens(certificate, key):
                proven = name
                break
        if proven is None and expected.codes.get(recipient.sha256) in hashed:
            proven = "its code"
        found.append(Escrow(path, certificate, proven))
    return found


def sentences(found: Sequence[Escrow]) -> list[str]:
    """What is wrong, a sentence each; empty if evidence is safe against the loss of any one key."""
    wrong = [
        f"nothing opens what is sealed to {one.name} ({one.path}): bring its key, a backup, or its code"
        for one in found
        if one.proven is None
    ]
    independent = {spki_of(one.certificate) for one in found if one.proven is not None}
    if len(independent) < FEWEST:
        wrong.append(
            f"only {len(independent)} independent key{'s' if len(independent) != 1 else ''} opened: recordings need "
            f"{FEWEST}, which different people keep in different places"
        )
    return wrong


def make_challenge(paths: Sequence[Path], out: Path) -> None:
    """A sealed secret for all recipients into `out`, and what their codes must be into ``out.expected``. Durable."""
    recipients = [Recipient.of(load_certificates(path)[0]) for path in paths]
    secret = os.urandom(_SECRET_BYTES)
    codes = {one.sha256: hashlib.sha256(_code(secret, one.sha256).encode()).hexdigest() for one in recipients}
    durable.write_new(out, bytes(seal([secret], recipients)), mode=0o644)
    durable.write_new(_beside(out), msgspec.json.encode(_Expected(codes)), mode=0o600)


def answer_challenge(challenge: Path, key: str, certificate: Path, passphrase: bytes | None) -> str:
    """The code of one recipient, whose key lies here. Raises `BadBackup`, `EvidenceError`."""
    data = _read(challenge)
    leaf = load_certificates(certificate)[0]
    recipient, vault = Recipient.of(leaf), load_any_key(key, leaf, passphrase)
    if vault is None:
        raise BadKey(f"the key {key} does not belong to the certificate {certificate}")
    try:
        secret = open_sealed(data, recipient, vault)
    except CannotDecrypt as error:
        raise BadBackup(
            f"{challenge} does not open with {key}: is the certificate among those it was sealed to?"
        ) from error
    return _code(secret, recipient.sha256)


def _code(secret: bytes, recipient: str) -> str:
    digits = hashlib.sha256(b"escrow " + secret + recipient.encode()).hexdigest()[:24]
    return "-".join(digits[place : place + 4] for place in range(0, 24, 4))


def _normal(code: str) -> str:
    return code.strip().lower()


def _beside(challenge: Path) -> Path:
    return challenge.with_name(challenge.name + ".expected")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_CHALLENGE_BYTES + 1)
    if len(data) > _CHALLENGE_BYTES:
        raise BadBackup(f"{path} is larger than a challenge can be")
    return data


def _load_expected(challenge: Path) -> _Expected:
    try:
        return msgspec.json.decode(_read(_beside(challenge)), type=_Expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBackup(f"{_beside(challenge)} cannot be read: make a new challenge") from error

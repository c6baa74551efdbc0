"""The signing seam and the vault seam with their file back ends; loading of keys with plain refusals.

A key is named by a path, a ``file:`` URI, or a ``pkcs11:`` URI (`evidence.pkcs11_uri`, `evidence.keys_pkcs11`).
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from evidence.errors import BadKey
from evidence.limits import CERTIFICATES, KEY_FILE_BYTES
from evidence.roles import KeyLevel, key_level_of

_CURVE_NAMES: Final[dict[type[ec.EllipticCurve], str]] = {ec.SECP256R1: "P-256", ec.SECP384R1: "P-384"}
SIGNING_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
_HASH_OF: Final[dict[int, hashes.HashAlgorithm]] = {32: hashes.SHA256(), 48: hashes.SHA384()}


class Signer(Protocol):
    """Something that signs for one certificate; a key in hardware fits behind it."""

    @property
    def certificate(self) -> x509.Certificate: ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Leaf first, intermediates after it, without the root."""
        ...

    @property
    def level(self) -> KeyLevel:
        """How the key is kept, as the certificate states it."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """ECDSA over a digest: DER, with the lower of the two possible s values.

        SHA-256 (32 bytes) with any key; SHA-384 (48 bytes) with a P-384 key, whose documents are signed so. The picture
        is signed over SHA-256 with either (ONVIF).
        """
        ...


def order_of(curve: ec.EllipticCurve) -> int:
    """The order of a curve that we sign with."""
    return P384_ORDER if isinstance(curve, ec.SECP384R1) else P256_ORDER


def prehashed(digest: bytes) -> ec.ECDSA:
    """ECDSA over a digest that is there already, by its length. Raises ValueError for one that is neither."""
    algorithm = _HASH_OF.get(len(digest))
    if algorithm is None:
        raise ValueError(f"a digest of {len(digest)} bytes is neither SHA-256 nor SHA-384")
    return ec.ECDSA(Prehashed(algorithm))


def low_s(signature: bytes, order: int = P256_ORDER) -> bytes:
    """The same ECDSA signature with the lower s: the one form that we write and accept."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, order - s))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > KEY_FILE_BYTES:
            raise BadKey(f"{path} is larger than a key or certificate file can be")
        return path.read_bytes()
    except OSError as error:
        raise BadKey(f"cannot read {path}: {error.strerror}") from error


UNREADABLE: Final = (
    ValueError,
    TypeError,  # a name with a string of bits, when it is read
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for certificates that are none, or use what it does not know."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, at least one. Raises `BadKey`."""
    try:
        found = x509.load_pem_x509_certificates(_read(path))
        for one in found:
            _ = one.extensions, one.subject, one.issuer  # read lazily by the library: a malformed one is told here
    except UNREADABLE as error:
        raise BadKey(f"{path} holds no PEM certificate, or one that cannot be read") from error
    return found


def load_private_key(
    path: Path, *, check_mode: bool = True, curves: tuple[type[ec.EllipticCurve], ...] = (ec.SECP256R1,)
) -> ec.EllipticCurvePrivateKey:
    """A private key of one of the curves from a PEM file that only its owner can read (0600). Raises `BadKey`."""
    data = _read(path)
    if check_mode and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKey(f"{path} can be read by others: chmod 600 it, and replace the key if it may have leaked")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{path} is not an unencrypted PEM private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, curves):
        raise BadKey(f"{path} is not a {' or '.join(_CURVE_NAMES[one] for one in curves)} key")
    return key


def same_public_key(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bool:
    """True if the certificate is for this key."""
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*spki) == certificate.public_key().public_bytes(*spki)


class FileSigner:
    """A software key in a file: honest about its level, for development and for cameras without a secure element."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]) -> None:
        self._key = key
        self.chain = tuple(chain)
        self.certificate = self.chain[0]
        self.level: KeyLevel = key_level_of(self.certificate) or "file"
        if len(self.chain) > CERTIFICATES:
            raise BadKey(f"a chain has at most {CERTIFICATES} certificates")
        if not isinstance(key.curve, SIGNING_CURVES):
            raise BadKey("a signing key is P-256 or P-384")
        if not same_public_key(key, self.certificate):
            raise BadKey("the private key does not belong to the first certificate of the chain")

    @classmethod
    def load(cls, key_path: Path, chain_path: Path, *, check_mode: bool = True) -> FileSigner:
        """From a PEM key (mode 0600) and a PEM chain, leaf first, without the root. Raises `BadKey`."""
        key = load_private_key(key_path, check_mode=check_mode, curves=SIGNING_CURVES)
        return cls(key, load_certificates(chain_path))

    def sign_digest(self, digest: bytes) -> bytes:
        return low_s(self._key.sign(digest, prehashed(digest)), order_of(self._key.curve))


class VaultKey(Protocol):
    """A vault's private key, wherever it is kept: all that opening an object needs of it."""

    def shared_secret(self, peer: ec.EllipticCurvePublicKey) -> bytes:
        """The ECDH secret with `peer` (the x coordinate). Raises ValueError for a point that is none."""
        ...


class FileVaultKey:
    """A vault key in a file: for tests and small agencies."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def shared_secret(self, peer: ec.EllipticCurvePublicKey) -> bytes:
        return self._key.exchange(ec.ECDH(), peer)


def in_token(key: str) -> bool:
    """True for a key that a ``pkcs11:`` URI names."""
    return key.startswith("pkcs11:")


def key_path(key: str) -> Path:
    """The path of a key that lies in a file, from a path or a ``file:`` URI. Raises `BadKey`."""
    parts = urlsplit(key)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme and not Path(key).exists():
        raise BadKey(f"a key of the kind {parts.scheme!r} is unknown: give a path, a file: URI or a pkcs11: URI")
    return Path(key)


def load_signer(key: str, chain_path: Path, *, check_mode: bool = True) -> Signer:
    """A signer for a key named by path or URI. Raises `BadKey`.

    Without `check_mode` a key file that others can read is no reason to refuse: a recorder records with it and tells.
    """
    if in_token(key):
        from evidence.keys_pkcs11 import Pkcs11Signer

        return Pkcs11Signer.load(key, chain_path)
    return FileSigner.load(key_path(key), chain_path, check_mode=check_mode)


def load_vault_key(key: str, certificate: x509.Certificate) -> VaultKey:
    """The vault key of a certificate, named by path or URI. Raises `BadKey`."""
    if in_token(key):
        from evidence.keys_pkcs11 import Pkcs11VaultKey

        return Pkcs11VaultKey.load(key, certificate)
    path = key_path(key)
    private = load_private_key(path, curves=(ec.SECP256R1, ec.SECP384R1))
    if not same_public_key(private, certificate):
        raise BadKey(f"the key in {path} does not belong to the vault certificate")
    return FileVaultKey(private)

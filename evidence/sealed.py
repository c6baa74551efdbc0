"""Sealed objects: CMS AuthEnvelopedData (RFC 5083, RFC 5084) to the agency's vault certificates (RFC 5753). R1, R41.

For each object a fresh ephemeral P-256 key, dhSinglePass-stdDH-sha256kdf-scheme (for P-384 vaults a P-384 key and
sha384kdf), AES-256-KW and AES-256-GCM: no secret that opens the past stays on the camera (design, invariant 4). The
content is encrypted part by part into one buffer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from evidence import der
from evidence.cms import DATA
from evidence.errors import BadKey, CannotDecrypt, MalformedDer
from evidence.keys import FileVaultKey, VaultKey
from evidence.limits import OBJECT_BYTES, RECIPIENTS

Buffer = bytes | bytearray | memoryview

AUTH_ENVELOPED: Final = der.oid("1.2.840.113549.1.9.16.1.23")
SALT_BYTES: Final = 32
_KARI: Final = 0xA1
_CONTEXT_0: Final = 0xA0
_ORIGINATOR_KEY: Final = 0xA1
_ENCRYPTED: Final = 0x80
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_AES256_WRAP: Final = der.sequence(der.oid("2.16.840.1.101.3.4.1.45"))
# RFC 5753, 7.1.4: the KDF's hash is as strong as the curve. By the length of an uncompressed point, in bytes.
_KEY_AGREEMENT: Final = {
    65: der.sequence(der.oid("1.3.132.1.11.1"), _AES256_WRAP),
    97: der.sequence(der.oid("1.3.132.1.11.2"), _AES256_WRAP),
}
_KDF_HASH: Final[dict[int, hashes.HashAlgorithm]] = {65: hashes.SHA256(), 97: hashes.SHA384()}
_CURVE: Final[dict[int, ec.EllipticCurve]] = {65: ec.SECP256R1(), 97: ec.SECP384R1()}
_AES256_GCM: Final = der.oid("2.16.840.1.101.3.4.1.46")
_EC_PUBLIC_KEY: Final = der.sequence(der.oid("1.2.840.10045.2.1"))
_VERSION_0: Final = der.integer(0)
_VERSION_3: Final = der.integer(3)
# ECC-CMS-SharedInfo (RFC 5753, 7.2): the wrap algorithm and the length of the wrapping key in bits.
_SHARED_INFO: Final = der.sequence(_AES256_WRAP, der.tlv(0xA2, der.tlv(der.OCTET_STRING, (256).to_bytes(4, "big"))))


@dataclass(frozen=True, slots=True)
class Recipient:
    """A vault certificate that objects are sealed to."""

    certificate: x509.Certificate
    public_key: ec.EllipticCurvePublicKey
    identifier: bytes
    """IssuerAndSerialNumber as DER."""
    sha256: str
    """Of the certificate's DER: what `open` lists."""

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Recipient:
        """Raises `BadKey` unless it is for P-256 or P-384 and its usage, if stated, allows key agreement."""
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, (ec.SECP256R1, ec.SECP384R1)):
            raise BadKey("a vault certificate must be for a P-256 or P-384 key")
        try:
            usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            usage = None
        if usage is not None and not usage.key_agreement:
            raise BadKey("a vault certificate must allow key agreement")
        encoded = certificate.public_bytes(serialization.Encoding.DER)
        identifier = der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
        return cls(certificate, key, identifier, hashlib.sha256(encoded).hexdigest())


def _wrapping_key(secret: bytes, point_bytes: int) -> bytes:
    return X963KDF(_KDF_HASH[point_bytes], 32, _SHARED_INFO).derive(secret)


def _ephemerals(recipients: Sequence[Recipient]) -> dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]]:
    """A fresh key with its point for each curve among the recipients."""
    made: dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]] = {}
    for one in recipients:
        curve = one.public_key.curve
        if curve.name not in made:
            key = ec.generate_private_key(curve)
            form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            made[curve.name] = key, key.public_key().public_bytes(*form)
    return made


def _recipient_info(
    recipient: Recipient, content_key: bytes, ephemeral: ec.EllipticCurvePrivateKey, point: bytes
) -> bytes:
    wrapped = aes_key_wrap(_wrapping_key(ephemeral.exchange(ec.ECDH(), recipient.public_key), len(point)), content_key)
    originator = der.tlv(_ORIGINATOR_KEY, _EC_PUBLIC_KEY, der.tlv(0x03, b"\x00" + point))
    encrypted_key = der.sequence(recipient.identifier, der.tlv(der.OCTET_STRING, wrapped))
    return der.tlv(
        _KARI,
        _VERSION_3,
        der.tlv(_CONTEXT_0, originator),
        _KEY_AGREEMENT[len(point)],
        der.sequence(encrypted_key),
    )


def seal(parts: Sequence[Buffer], recipients: Sequence[Recipient]) -> bytearray:
    """Seal the concatenation of `parts` (bytes-like) to all recipients; one AuthEnvelopedData as DER.

    Raises `BadKey` for no or too many recipients, ValueError for content over the object limit.
    """
    if not 1 <= len(recipients) <= RECIPIENTS:
        raise BadKey(f"an object is sealed to 1 to {RECIPIENTS} vault certificates")
    size = sum(memoryview(part).nbytes for part in parts)
    if size > OBJECT_BYTES - 16 * 1024:
        raise ValueError(f"an object of {size} bytes is over the limit")
    content_key, nonce = os.urandom(32), os.urandom(_NONCE_BYTES)
    ephemerals = _ephemerals(recipients)
    infos = der.set_of(_recipient_info(one, content_key, *ephemerals[one.public_key.curve.name]) for one in recipients)
    algorithm = der.sequence(_AES256_GCM, der.sequence(der.tlv(der.OCTET_STRING, nonce), der.integer(_TAG_BYTES)))
    content_head = der.header(_ENCRYPTED, size)
    info_length = len(DATA) + len(algorithm) + len(content_head) + size
    info_head = der.header(der.SEQUENCE, info_length)
    tag_head = der.header(der.OCTET_STRING, _TAG_BYTES)
    inner_length = len(_VERSION_0) + len(infos) + len(info_head) + info_length + len(tag_head) + _TAG_BYTES
    inner_head = der.header(der.SEQUENCE, inner_length)
    explicit_head = der.header(_CONTEXT_0, len(inner_head) + inner_length)
    outer_length = len(AUTH_ENVELOPED) + len(explicit_head) + len(inner_head) + inner_length
    head = b"".join(
        (
            der.header(der.SEQUENCE, outer_length),
            AUTH_ENVELOPED,
            explicit_head,
            inner_head,
            _VERSION_0,
            infos,
            info_head,
            DATA,
            algorithm,
            content_head,
        )
    )
    sealed = bytearray(len(head) + size + len(tag_head) + _TAG_BYTES)
    sealed[: len(head)] = head
    encryptor = Cipher(algorithms.AES(content_key), modes.GCM(nonce)).encryptor()
    view, offset = memoryview(sealed), len(head)
    for part in parts:
        # The octets of the tag stand after the content, so the library's wish for spare room is met.
        offset += encryptor.update_into(part, view[offset:])
    encryptor.finalize()
    sealed[offset:] = tag_head + encryptor.tag
    return sealed


@dataclass(frozen=True, slots=True)
class Sealed:
    """A parsed AuthEnvelopedData."""

    keys: tuple[tuple[bytes, bytes, bytes], ...]
    """(recipient's IssuerAndSerialNumber, ephemeral point, wrapped key) for each recipient."""
    nonce: bytes
    content: memoryview
    tag: bytes


def parse_sealed(data: Buffer) -> Sealed:
    """Parse one object in the form that `seal` writes. Raises `MalformedDer`."""
    if len(data) > OBJECT_BYTES:
        raise MalformedDer(f"a sealed object of {len(data)} bytes is over the limit of {OBJECT_BYTES}")
    outer = der.Reader(data)
    content = outer.enter()
    outer.end()
    content.expect(AUTH_ENVELOPED)
    explicit = content.enter(_CONTEXT_0)
    content.end()
    body = explicit.enter()
    explicit.end()
    body.expect(_VERSION_0)
    infos = body.enter(der.SET)
    keys: list[tuple[bytes, bytes, bytes]] = []
    while not infos.at_end:
        if len(keys) == RECIPIENTS:
            raise MalformedDer("an object has too many recipients")
        keys.append(_parse_recipient(infos.enter(_KARI)))
    info = body.enter()
    info.expect(DATA)
    algorithm = info.enter()
    algorithm.expect(_AES256_GCM)
    parameters = algorithm.enter()
    nonce = parameters.octets()
    parameters.expect(der.integer(_TAG_BYTES))
    parameters.end()
    algorithm.end()
    ciphertext = info.element(_ENCRYPTED).body
    info.end()
    tag = body.octets()
    body.end()
    if len(nonce) != _NONCE_BYTES or len(tag) != _TAG_BYTES or not keys:
        raise MalformedDer("an object has a nonce, tag or recipient list of the wrong size")
    return Sealed(tuple(keys), nonce, ciphertext, tag)


def _parse_recipient(info: der.Reader) -> tuple[bytes, bytes, bytes]:
    info.expect(_VERSION_3)
    originator = info.enter(_CONTEXT_0).enter(_ORIGINATOR_KEY)
    originator.expect(_EC_PUBLIC_KEY)
    point = originator.octets(0x03)
    if len(point) - 1 not in _KEY_AGREEMENT:
        raise MalformedDer("an object has an ephemeral key of the wrong size")
    info.expect(_KEY_AGREEMENT[len(point) - 1])
    encrypted = info.enter().enter()
    identifier = bytes(encrypted.element(der.SEQUENCE).whole)
    wrapped = encrypted.octets()
    if point[0] != 0 or len(wrapped) != 40:
        raise MalformedDer("an object has a recipient entry of the wrong size")
    return identifier, point[1:], wrapped


def open_sealed(data: Buffer, recipient: Recipient, key: ec.EllipticCurvePrivateKey | VaultKey) -> bytes:
    """Decrypt one object with a vault key. Raises `MalformedDer` or `CannotDecrypt`; never returns altered bytes.

    A key in a token may also raise `BadKey` or `SigningFailed`.
    """
    sealed = parse_sealed(data)
    vault = FileVaultKey(key) if isinstance(key, ec.EllipticCurvePrivateKey) else key
    for identifier, point, wrapped in sealed.keys:
        if identifier != recipient.identifier:
            continue
        try:
            ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE[len(point)], point)
            content_key = aes_key_unwrap(_wrapping_key(vault.shared_secret(ephemeral), len(point)), wrapped)
            decryptor = Cipher(algorithms.AES(content_key), modes.GCM(sealed.nonce, sealed.tag)).decryptor()
            return decryptor.update(sealed.content) + decryptor.finalize()
        except (InvalidUnwrap, InvalidTag, ValueError) as error:
            raise CannotDecrypt("the object was altered, or this is not the vault key it was sealed to") from error
    raise CannotDecrypt("the object is not sealed to this vault certificate")

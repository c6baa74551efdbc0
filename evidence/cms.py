"""Signed documents: CMS SignedData (RFC 5652) with attached content, in one canonical DER form.

Fixed: version 1, ECDSA with low s (P-256 with SHA-256, P-384 with SHA-384: the key decides, so that each key has one
form), signed attributes contentType, messageDigest, signingTime (from our
clock, RFC 5652 11.3) and signingCertificateV2 (RFC 5035) over the whole chain, so that no octet is left unsigned. A
parser rebuilds what it parsed and demands the same octets: openssl accepts about 2 % of flipped bits, we accept none.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import warnings
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from evidence import der
from evidence.errors import BadSignature, MalformedDer, MalformedStatement
from evidence.keys import SIGNING_CURVES, Signer, order_of, prehashed
from evidence.limits import CERTIFICATE_BYTES, CERTIFICATES, SIGNED_DOCUMENT_BYTES

# Hostile certificates make the library warn about each oddity; we refuse them, which says enough.
warnings.filterwarnings("ignore", module=r"evidence\.cms")

DATA: Final = der.oid("1.2.840.113549.1.7.1")
SIGNED_DATA: Final = der.oid("1.2.840.113549.1.7.2")
_SHA256: Final = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_SHA384: Final = der.sequence(der.oid("2.16.840.1.101.3.4.2.2"))
_ECDSA_SHA256: Final = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_ECDSA_SHA384: Final = der.sequence(der.oid("1.2.840.10045.4.3.3"))
_CONTENT_TYPE: Final = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = der.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = der.oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2: Final = der.oid("1.2.840.113549.1.9.16.2.47")
_VERSION_1: Final = der.integer(1)
_CONTEXT_0: Final = 0xA0


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """One parsed SignedData. The signature is not checked yet: `check_signature`, then `evidence.trust`."""

    payload: bytes
    chain: tuple[x509.Certificate, ...]
    """Signer first, then its issuers, without the root."""
    signed_at: dt.datetime
    """What the signer's clock said, whole seconds."""
    signed_attributes: bytes
    signature: bytes

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]


@dataclass(frozen=True, slots=True)
class _Form:
    """The algorithms of one curve."""

    digest_algorithm: bytes
    signature_algorithm: bytes
    hash_name: str

    def digest(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()


_P256_FORM: Final = _Form(_SHA256, _ECDSA_SHA256, "sha256")
_P384_FORM: Final = _Form(_SHA384, _ECDSA_SHA384, "sha384")


@functools.lru_cache(maxsize=64)
def _form(leaf: x509.Certificate) -> _Form:
    """The one form of a signer's messages. A key that may not sign at all is refused by `check_signature`."""
    key = leaf.public_key()
    is_p384 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
    return _P384_FORM if is_p384 else _P256_FORM


def _attribute(identifier: bytes, value: bytes) -> bytes:
    return der.sequence(identifier, der.tlv(der.SET, value))


@functools.lru_cache(maxsize=16)
def _chain_parts(chain: tuple[x509.Certificate, ...]) -> tuple[bytes, bytes, bytes]:
    """(certificates field, signer identifier, signingCertificateV2 attribute) of a chain."""
    encoded = [certificate.public_bytes(serialization.Encoding.DER) for certificate in chain]
    leaf = chain[0]
    identifier = der.sequence(leaf.issuer.public_bytes(), der.integer(leaf.serial_number))
    hashes_of_chain = [der.sequence(der.tlv(der.OCTET_STRING, hashlib.sha256(one).digest())) for one in encoded]
    signing_certificate = der.sequence(der.sequence(*hashes_of_chain))
    return (
        der.set_of(encoded, _CONTEXT_0),
        identifier,
        _attribute(_SIGNING_CERTIFICATE_V2, signing_certificate),
    )


def _attributes(payload_digest: bytes, chain: tuple[x509.Certificate, ...], when: dt.datetime) -> bytes:
    """The signed attributes as the SET that is signed."""
    return der.set_of(
        (
            _attribute(_CONTENT_TYPE, DATA),
            _attribute(_MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, payload_digest)),
            _attribute(_SIGNING_TIME, der.time(when)),
            _chain_parts(chain)[2],
        )
    )


def _assemble(payload: bytes, chain: tuple[x509.Certificate, ...], attributes: bytes, signature: bytes) -> bytes:
    certificates, identifier, _ = _chain_parts(chain)
    form = _form(chain[0])
    signer_info = der.sequence(
        _VERSION_1,
        identifier,
        form.digest_algorithm,
        bytes((_CONTEXT_0,)) + attributes[1:],
        form.signature_algorithm,
        der.tlv(der.OCTET_STRING, signature),
    )
    signed_data = der.sequence(
        _VERSION_1,
        der.tlv(der.SET, form.digest_algorithm),
        der.sequence(DATA, der.tlv(_CONTEXT_0, der.tlv(der.OCTET_STRING, payload))),
        certificates,
        der.tlv(der.SET, signer_info),
    )
    return der.sequence(SIGNED_DATA, der.tlv(_CONTEXT_0, signed_data))


def sign(payload: bytes, signer: Signer, when: dt.datetime) -> bytes:
    """A SignedData around `payload`, as DER; `when` becomes signingTime (cut to the second)."""
    form = _form(signer.chain[0])
    attributes = _attributes(form.digest(payload), signer.chain, when)
    signature = signer.sign_digest(form.digest(attributes))
    return _assemble(payload, signer.chain, attributes, signature)


@functools.lru_cache(maxsize=64)
def _certificate(encoded: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(encoded)
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
        positive = certificate.serial_number > 0
    except Exception as error:  # the library raises many kinds for hostile certificates
        raise MalformedDer("a certificate in the message cannot be read") from error
    if not positive or certificate.public_bytes(serialization.Encoding.DER) != encoded:
        raise MalformedDer("a certificate in the message is not in the form of RFC 5280")
    return certificate


@functools.lru_cache(maxsize=16)  # the same for each statement of a camera
def _order(certificates: tuple[x509.Certificate, ...], identifier: bytes) -> tuple[x509.Certificate, ...]:
    """Signer first, each followed by its issuer, all of them used. Raises `MalformedStatement`."""
    rest = list(certificates)
    chain: list[x509.Certificate] = []
    for certificate in rest:
        if der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number)) == identifier:
            chain = [certificate]
            break
    while chain:
        rest.remove(chain[-1])
        issuers = [certificate for certificate in rest if certificate.subject == chain[-1].issuer]
        if not issuers:
            break
        chain.append(issuers[0])
    if not chain or rest:
        raise MalformedStatement("the certificates in the message are not one chain from its signer")
    return tuple(chain)


def parse_signed(data: bytes | memoryview, *, limit: int = SIGNED_DOCUMENT_BYTES) -> SignedMessage:
    """Parse one SignedData in the one form that `sign` writes; the signature is not checked here.

    Raises `MalformedDer` or `MalformedStatement`.
    """
    data = bytes(data)
    if len(data) > limit:
        raise MalformedDer(f"a signed message of {len(data)} bytes is over the limit of {limit}")
    outer = der.Reader(data)
    content = outer.enter()
    outer.end()
    content.expect(SIGNED_DATA)
    signed = content.enter(_CONTEXT_0).enter()
    signed.expect(_VERSION_1)
    form = _P384_FORM if bytes(signed.element(der.SET).body) == _SHA384 else _P256_FORM  # if it is the signer's: below
    encapsulated = signed.enter()
    encapsulated.expect(DATA)
    payload = encapsulated.enter(_CONTEXT_0).octets()
    certificates: list[x509.Certificate] = []
    bag = signed.enter(_CONTEXT_0)
    while not bag.at_end:
        one = bag.element(der.SEQUENCE)
        if len(one.whole) > CERTIFICATE_BYTES or len(certificates) == CERTIFICATES:
            raise MalformedDer("too many or too large certificates in the message")
        certificates.append(_certificate(bytes(one.whole)))
    info = signed.enter(der.SET).enter()
    info.expect(_VERSION_1)
    identifier = bytes(info.element(der.SEQUENCE).whole)
    info.expect(form.digest_algorithm)
    attributes = info.element(_CONTEXT_0)
    info.expect(form.signature_algorithm)
    signature = info.octets()
    when = _signing_time(der.Reader(attributes.body))
    chain = _order(tuple(certificates), identifier)
    if form is not _form(chain[0]):
        raise MalformedStatement("the message is signed with the algorithms of another curve than its signer's")
    expected = _attributes(form.digest(payload), chain, when)
    if attributes.body != memoryview(expected)[len(expected) - len(attributes.body) :]:
        raise MalformedStatement("the digest or the signed attributes do not match the content")
    if _assemble(payload, chain, expected, signature) != data:
        raise MalformedStatement("the message is not in its one canonical form")
    return SignedMessage(payload, chain, when, expected, signature)


def _signing_time(attributes: der.Reader) -> dt.datetime:
    while not attributes.at_end:
        attribute = attributes.enter()
        if attribute.element(der.OID).whole == _SIGNING_TIME:
            return der.parse_time(attribute.enter(der.SET).element())
        attribute.element(der.SET)
    raise MalformedStatement("the message has no signing time")


def check_signature(message: SignedMessage) -> None:
    """Check the signer's signature (not its certificate). Raises `BadSignature`."""
    key = message.certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, SIGNING_CURVES):
        raise BadSignature("the signer's key is neither P-256 nor P-384")
    try:
        _, s = decode_dss_signature(message.signature)
        digest = _form(message.certificate).digest(message.signed_attributes)
        key.verify(message.signature, digest, prehashed(digest))
    except (InvalidSignature, ValueError) as error:
        raise BadSignature("the signature does not hold") from error
    if s > order_of(key.curve) // 2:
        raise BadSignature("the signature has a high s: it is the second form of a valid one, made by someone else")

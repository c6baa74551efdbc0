"""Certificate signing requests (PKCS#10, RFC 2986) as an authority judges them: only the key is taken from them.

What a request says of its sender (subject, names, purposes) is not looked at: the authority writes what it knows
itself. A request proves one thing, that its sender has the private key, by the signature over itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import der
from evidence.keys import SIGNING_CURVES
from fleet.errors import RequestRefused

REQUEST_BYTES: Final = 8 * 1024
"""Largest request, as DER or PEM."""
_HASHES: Final = (hashes.SHA256, hashes.SHA384)
_ECDSA: Final = {32: der.oid("1.2.840.10045.4.3.2"), 48: der.oid("1.2.840.10045.4.3.3")}


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose signature holds."""

    key: ec.EllipticCurvePublicKey
    spki: str
    """SHA-256 of the public key."""


def load_request(data: bytes) -> Request:
    """Judge one request, PEM or DER. Raises `RequestRefused` (400)."""
    if len(data) > REQUEST_BYTES:
        raise RequestRefused(f"a certificate request has at most {REQUEST_BYTES} bytes", 413)
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            found = x509.load_pem_x509_csr(data)
        else:
            found = x509.load_der_x509_csr(data)
            if found.public_bytes(serialization.Encoding.DER) != data:
                raise RequestRefused("the certificate request is not in DER form", 400)
        key, algorithm = found.public_key(), found.signature_hash_algorithm
        holds = found.is_signature_valid
    except RequestRefused:
        raise
    except Exception as error:  # the library raises many kinds for hostile requests
        raise RequestRefused("this is no certificate request (PKCS#10)", 400) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, SIGNING_CURVES):
        raise RequestRefused("the key in the request is neither P-256 nor P-384: make one that is", 400)
    if not isinstance(algorithm, _HASHES):
        raise RequestRefused("the request must be signed over SHA-256 or SHA-384", 400)
    if not holds:
        raise RequestRefused("the signature of the request does not hold: its sender lacks the private key", 400)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Request(key, hashlib.sha256(key.public_bytes(*form)).hexdigest())


def make_request(serial: str, key: ec.EllipticCurvePublicKey, sign_digest: Callable[[bytes], bytes]) -> bytes:
    """A request (DER) for a key that may sit in a token: `sign_digest` signs the digest of the key's curve (DER)."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, serial)])
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    body = der.sequence(der.integer(0), subject.public_bytes(), key.public_bytes(*form), der.tlv(0xA0))
    digest = (hashlib.sha384 if isinstance(key.curve, ec.SECP384R1) else hashlib.sha256)(body).digest()
    return der.sequence(body, der.sequence(_ECDSA[len(digest)]), der.tlv(0x03, b"\x00" + sign_digest(digest)))

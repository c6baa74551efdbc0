"""A throw-away root, camera authority and camera certificate for the media signing tests."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.roles import ROLE_OIDS


@dataclass(frozen=True)
class SigningChain:
    key: ec.EllipticCurvePrivateKey
    leaf: x509.Certificate
    authority: x509.Certificate
    root: x509.Certificate

    @property
    def pem(self) -> bytes:
        """Leaf first, without the root."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (self.leaf, self.authority))

    def sign(self, digest: bytes) -> bytes:
        return self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))


@functools.cache
def signing_chain(serial: str = "FH-0001") -> SigningChain:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cameras")])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)])
    root = _certificate(root_name, keys[0], root_name, keys[0], authority=True, camera=False)
    authority = _certificate(authority_name, keys[1], root_name, keys[0], authority=True, camera=True)
    leaf = _certificate(leaf_name, keys[2], authority_name, keys[1], authority=False, camera=True)
    return SigningChain(keys[2], leaf, authority, root)


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    authority: bool,
    camera: bool,
) -> x509.Certificate:
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    if camera:
        policy = x509.PolicyInformation(ROLE_OIDS["camera"], None)
        builder = builder.add_extension(x509.CertificatePolicies([policy]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())

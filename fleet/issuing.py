"""What certificates say: root, role authorities, leaves with one purpose each, and lists of what was taken back.

Design, invariant 12. Evidence, receipt and profile leaves carry emailProtection so that plain ``openssl cms -verify``
accepts them; TLS leaves carry clientAuth or serverAuth and are refused there. Nothing here reads or writes a file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.commands import POWER_OIDS, Power
from evidence.roles import KEY_LEVEL_OIDS, ROLE_OIDS, SIMULATED_OID, KeyLevel, Role

Curve = Literal["P-256", "P-384"]
CURVES: Final[dict[Curve, ec.EllipticCurve]] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
C2PA_CLAIM_SIGNING_OID = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key with its chain: leaf (or authority) first, without the root unless it is the root."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def chain_pem(self) -> bytes:
        return pem(*self.chain)


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates one after another as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when certificates hold."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def years(cls, years: int, start: dt.datetime) -> Validity:
        return cls(start, start + dt.timedelta(days=365 * years + years // 4))

    def within(self, certificate: x509.Certificate) -> Validity:
        """Not longer than the issuer's own: what outlives its issuer verifies nowhere."""
        return Validity(self.start, min(self.end, certificate.not_valid_after_utc))


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a certificate of one role shall say."""

    role: Role
    subject: x509.Name
    extensions: tuple[tuple[x509.ExtensionType, bool], ...]
    """Each with whether it is critical."""
    policies: tuple[x509.ObjectIdentifier, ...] = ()


def usage(*, sign: bool = False, authority: bool = False, agree: bool = False) -> x509.KeyUsage:
    """A key usage with nothing else in it."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agree,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def policies(oids: Iterable[x509.ObjectIdentifier]) -> x509.CertificatePolicies:
    """The policies extension."""
    return x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in oids])


def name(common_name: str, organization: str, serial: str | None = None) -> x509.Name:
    """A subject. Raises ValueError for what does not fit into one (a common name has at most 64 characters)."""
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if serial is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(attributes)


def signer_leaf(
    role: Role,
    common_name: str,
    organization: str,
    *,
    serial: str,
    level: KeyLevel = "file",
    powers: Sequence[Power] = (),
) -> Leaf:
    """Signs documents of one role; `serial` is the device's, the station's or the person's.

    `powers` say what a `command` certificate may tell a camera (R33).
    The export desk's may also sign C2PA claims (c2pa-kp-claimSigning, C2PA certificate profile).
    """
    purposes = [ExtendedKeyUsageOID.EMAIL_PROTECTION, *([C2PA_CLAIM_SIGNING_OID] if role == "export" else ())]
    return Leaf(
        role,
        name(common_name, organization, serial),
        ((usage(sign=True), True), (x509.ExtendedKeyUsage(purposes), False)),
        (KEY_LEVEL_OIDS[level], *(POWER_OIDS[power] for power in powers)),
    )


def tls_client_leaf(serial: str, organization: str) -> Leaf:
    """A camera's TLS client certificate: common name and serialNumber are the serial, and a URI names it."""
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:dev:serial:{serial}")])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return Leaf(
        "tls", name(serial, organization, serial), ((usage(sign=True), True), (purposes, False), (names, False))
    )


def tls_server_leaf(hosts: Sequence[str], addresses: Sequence[str], organization: str) -> Leaf:
    """A server certificate for DNS names and addresses. Raises ValueError for what is none."""
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    subject = name([*hosts, *addresses][0], organization)
    return Leaf(
        "tls", subject, ((usage(sign=True), True), (purposes, False), (x509.SubjectAlternativeName(names), False))
    )


def vault_leaf(common_name: str, organization: str) -> Leaf:
    """A vault certificate: objects are sealed to it, and nothing else is done with it."""
    return Leaf("vault", name(common_name, organization), ((usage(agree=True), True),))


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _hash_for(key: ec.EllipticCurvePrivateKey) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if isinstance(key.curve, ec.SECP384R1) else hashes.SHA256()


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _issued(builder: x509.CertificateBuilder, issuer: Credential) -> x509.CertificateBuilder:
    builder = builder.issuer_name(issuer.certificate.subject)
    return builder.add_extension(_authority_key(issuer.certificate), critical=False)


def make_root(
    organization: str,
    key: ec.EllipticCurvePrivateKey,
    validity: Validity,
    *,
    simulated: bool,
    generation: int = 1,
    subject: x509.Name | None = None,
) -> Credential:
    """A self-signed root; the first is called ``ORGANIZATION root``, later ones are numbered.

    A `subject` is given for a longer life of the same key: then the name must be the same too.
    """
    subject = subject or name(f"{organization} root" + (f" {generation}" if generation > 1 else ""), organization)
    builder = _builder(subject, key.public_key(), validity).issuer_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(usage(authority=True), critical=True)
    if simulated:
        builder = builder.add_extension(policies([SIMULATED_OID]), critical=False)
    return Credential(key, (builder.sign(key, _hash_for(key)),))


def make_intermediate(
    role: Role,
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    root: Credential,
    validity: Validity,
    *,
    simulated: bool,
) -> x509.Certificate:
    """The certificate of the authority for one role, signed by a root."""
    builder = _issued(_builder(subject, key, validity), root)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage(authority=True), critical=True)
    marks = [ROLE_OIDS[role], *([SIMULATED_OID] if simulated else [])]
    builder = builder.add_extension(policies(marks), critical=False)
    return builder.sign(root.key, _hash_for(root.key))


def issue(
    leaf: Leaf, key: ec.EllipticCurvePublicKey, issuer: Credential, validity: Validity, *, simulated: bool
) -> x509.Certificate:
    """The certificate that `leaf` asks for, over a public key whose owner has shown that it has the private one."""
    builder = _issued(_builder(leaf.subject, key, validity), issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    marks = [ROLE_OIDS[leaf.role], *leaf.policies, *([SIMULATED_OID] if simulated else [])]
    builder = builder.add_extension(policies(marks), critical=False)
    for extension, critical in leaf.extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer.key, _hash_for(issuer.key))


def make_crl(
    issuer: Credential,
    revoked: Iterable[x509.RevokedCertificate],
    number: int,
    now: dt.datetime,
    next_update: dt.datetime,
) -> x509.CertificateRevocationList:
    """The whole list of one authority (RFC 5280, 5)."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(issuer.certificate), critical=False)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(one)
    return builder.sign(issuer.key, _hash_for(issuer.key))

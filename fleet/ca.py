"""The agency's certificate authority: one root, an intermediate for each role, leaves with one purpose each.

Design, invariant 12. Evidence, receipt and profile leaves carry emailProtection so that plain ``openssl cms -verify``
accepts them; TLS leaves carry clientAuth or serverAuth and are refused there.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.commands import POWER_OIDS, Power
from evidence.durable import replace
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
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when certificates hold."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def years(cls, years: int, start: dt.datetime) -> Validity:
        return cls(start, start + dt.timedelta(days=365 * years + years // 4))


def _usage(*, sign: bool = False, authority: bool = False, agree: bool = False) -> x509.KeyUsage:
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


def _policies(oids: Sequence[x509.ObjectIdentifier]) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in oids])


def _name(common_name: str, organization: str, serial: str | None = None) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if serial is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(attributes)


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _hash_for(key: ec.EllipticCurvePrivateKey) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if isinstance(key.curve, ec.SECP384R1) else hashes.SHA256()


class Authority:
    """A root with its role intermediates, held in memory. Writing and guarding the keys is the caller's job.

    `curve` is that of all keys, the authorities' too: a leaf is no stronger than what stands over it.
    """

    def __init__(self, organization: str, *, simulated: bool, validity: Validity, curve: Curve = "P-256") -> None:
        self._curve = CURVES[curve]
        self.organization = organization
        self.simulated = simulated
        self.validity = validity
        self.root = self._make_root()
        self._intermediates: dict[Role, Credential] = {}
        self._revoked: dict[bytes, list[x509.RevokedCertificate]] = {}

    def _marks(self, *oids: x509.ObjectIdentifier) -> list[x509.ObjectIdentifier]:
        return [*oids, SIMULATED_OID] if self.simulated else list(oids)

    def _make_root(self) -> Credential:
        key = ec.generate_private_key(self._curve)
        name = _name(f"{self.organization} root", self.organization)
        builder = _builder(name, key, self.validity).issuer_name(name)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        builder = builder.add_extension(_usage(authority=True), critical=True)
        if self.simulated:
            builder = builder.add_extension(_policies([SIMULATED_OID]), critical=False)
        return Credential(key, (builder.sign(key, _hash_for(key)),))

    def intermediate(self, role: Role) -> Credential:
        """The authority for one role, made at first use; its chain is only itself."""
        if role not in self._intermediates:
            key = ec.generate_private_key(self._curve)
            builder = _builder(_name(f"{self.organization} {role} authority", self.organization), key, self.validity)
            builder = self._issued(builder, self.root)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            builder = builder.add_extension(_usage(authority=True), critical=True)
            builder = builder.add_extension(_policies(self._marks(ROLE_OIDS[role])), critical=False)
            self._intermediates[role] = Credential(key, (builder.sign(self.root.key, _hash_for(self.root.key)),))
        return self._intermediates[role]

    @staticmethod
    def _issued(builder: x509.CertificateBuilder, issuer: Credential) -> x509.CertificateBuilder:
        identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return builder.issuer_name(issuer.certificate.subject).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )

    def _issue(
        self,
        role: Role,
        subject: x509.Name,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        policies: Sequence[x509.ObjectIdentifier] = (),
        validity: Validity | None = None,
    ) -> Credential:
        issuer = self.intermediate(role)
        key = ec.generate_private_key(self._curve)
        builder = self._issued(_builder(subject, key, validity or self.validity), issuer)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_policies(self._marks(ROLE_OIDS[role], *policies)), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return Credential(key, (builder.sign(issuer.key, _hash_for(issuer.key)), *issuer.chain))

    def signer(
        self,
        role: Role,
        name: str,
        *,
        serial: str,
        level: KeyLevel = "file",
        validity: Validity | None = None,
        powers: Sequence[Power] = (),
    ) -> Credential:
        """A certificate that signs documents of one role; `serial` is the device's, the station's or the person's.

        `powers` say what a `command` certificate may tell a camera (R33).
        The export desk's may also sign C2PA claims (c2pa-kp-claimSigning, C2PA certificate profile).
        """
        purposes = [ExtendedKeyUsageOID.EMAIL_PROTECTION, *([C2PA_CLAIM_SIGNING_OID] if role == "export" else ())]
        return self._issue(
            role,
            _name(name, self.organization, serial),
            [
                (_usage(sign=True), True),
                (x509.ExtendedKeyUsage(purposes), False),
            ],
            [KEY_LEVEL_OIDS[level], *(POWER_OIDS[power] for power in powers)],
            validity,
        )

    def tls_client(self, serial: str, *, validity: Validity | None = None) -> Credential:
        """A camera's TLS client certificate: common name and serialNumber are the serial, and a URI names it."""
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:dev:serial:{serial}")])
        return self._issue(
            "tls",
            _name(serial, self.organization, serial),
            [
                (_usage(sign=True), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
                (names, False),
            ],
            validity=validity,
        )

    def tls_server(self, host: str, addresses: Sequence[str] = ("127.0.0.1",)) -> Credential:
        """A server certificate for a DNS name and addresses."""
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._issue(
            "tls",
            _name(host, self.organization),
            [
                (_usage(sign=True), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.SubjectAlternativeName(names), False),
            ],
        )

    def vault(self, name: str) -> Credential:
        """A vault certificate: objects are sealed to it, and nothing else is done with it."""
        return self._issue("vault", _name(name, self.organization), [(_usage(agree=True), True)])

    def revoke(self, certificate: x509.Certificate, when: dt.datetime) -> bytes:
        """Take a certificate back from `when` on; the whole list of its issuer so far, as PEM, valid for 30 days.

        Raises ValueError for a certificate that this authority did not issue.
        """
        issuers = {one.certificate.subject: one for one in (self.root, *self._intermediates.values())}
        issuer = issuers.get(certificate.issuer)
        if issuer is None:
            raise ValueError(f"{certificate.subject.rfc4514_string()} was not issued by {self.organization}")
        revoked = self._revoked.setdefault(issuer.certificate.subject.public_bytes(), [])
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(when)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        revoked.append(entry.build())
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(now)
            .next_update(now + dt.timedelta(days=30))
            .add_extension(x509.CRLNumber(len(revoked)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        )
        for one in revoked:
            builder = builder.add_revoked_certificate(one)
        return builder.sign(issuer.key, _hash_for(issuer.key)).public_bytes(serialization.Encoding.PEM)


def write_credential(directory: Path, stem: str, credential: Credential) -> None:
    """``stem.key`` (0600) and ``stem.pem`` (the chain), durably. Raises OSError."""
    replace(directory / f"{stem}.key", credential.key_pem(), mode=0o600)
    replace(directory / f"{stem}.pem", credential.chain_pem(), mode=0o644)


def create_agency(
    directory: Path,
    *,
    serial: str = "SIM-0001",
    organization: str = "Simulated Police Department",
    simulated: bool = True,
    start: dt.datetime | None = None,
    years: int = 10,
    curve: Curve = "P-256",
) -> Authority:
    """A whole small agency with one camera and one station, as PEM files in `directory`.

    For the simulator and for tests: all keys lie side by side, which no real agency may do. Raises OSError.
    """
    begin = (start or dt.datetime.now(dt.UTC)).replace(microsecond=0) - dt.timedelta(days=1)
    authority = Authority(organization, simulated=simulated, validity=Validity.years(years, begin), curve=curve)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = authority.root.chain_pem()
    replace(directory / "root.pem", root, mode=0o644)
    write_credential(directory, "camera", authority.signer("camera", f"Camera {serial}", serial=serial))
    write_credential(directory, "camera-tls", authority.tls_client(serial))
    write_credential(directory, "station-tls", authority.tls_server("localhost"))
    write_credential(directory, "broker-tls", authority.tls_server("localhost"))
    write_credential(directory, "station-receipt", authority.signer("receipt", "Docking station 1", serial="STATION-1"))
    write_credential(directory, "profile", authority.signer("profile", "Policy office", serial="POLICY-1"))
    write_credential(directory, "release", authority.signer("release", "Release desk", serial="RELEASE-1"))
    supervisor = authority.signer("command", "Supervisor 1", serial="SUP-1", powers=["supervise"])
    write_credential(directory, "supervisor", supervisor)
    checkout = authority.signer("command", "Check-out at docking station 1", serial="STATION-1", powers=["assign"])
    write_credential(directory, "checkout", checkout)
    write_credential(directory, "proof", authority.signer("proof", "Vault holder", serial="VAULT-1"))
    write_credential(directory, "vault", authority.vault("Evidence vault"))
    replace(directory / "tls-ca.pem", authority.intermediate("tls").chain_pem() + root, mode=0o644)
    return authority

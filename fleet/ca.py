"""An agency's certificate authority in memory: one root, an intermediate for each role, leaves with one purpose each.

For trials, the simulator and tests. The one that an agency keeps on disk is `fleet.authority_store`; what certificates
say stands in `fleet.issuing` (design, invariant 12).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.commands import Power
from evidence.durable import replace
from evidence.roles import KeyLevel, Role
from fleet import issuing
from fleet.issuing import C2PA_CLAIM_SIGNING_OID, CURVES, Credential, Curve, Leaf, Validity

__all__ = [
    "C2PA_CLAIM_SIGNING_OID",
    "CURVES",
    "Authority",
    "Credential",
    "Curve",
    "Validity",
    "create_agency",
    "write_credential",
]


class Authority:
    """A root with its role intermediates, held in memory. Writing and guarding the keys is the caller's job.

    `curve` is that of all keys, the authorities' too: a leaf is no stronger than what stands over it.
    """

    def __init__(self, organization: str, *, simulated: bool, validity: Validity, curve: Curve = "P-256") -> None:
        self._curve = CURVES[curve]
        self.organization = organization
        self.simulated = simulated
        self.validity = validity
        self.root = issuing.make_root(organization, ec.generate_private_key(self._curve), validity, simulated=simulated)
        self._intermediates: dict[Role, Credential] = {}
        self._revoked: dict[bytes, list[x509.RevokedCertificate]] = {}

    def intermediate(self, role: Role) -> Credential:
        """The authority for one role, made at first use; its chain is only itself."""
        if role not in self._intermediates:
            key = ec.generate_private_key(self._curve)
            subject = issuing.name(f"{self.organization} {role} authority", self.organization)
            certificate = issuing.make_intermediate(
                role, subject, key.public_key(), self.root, self.validity, simulated=self.simulated
            )
            self._intermediates[role] = Credential(key, (certificate,))
        return self._intermediates[role]

    def _issue(self, leaf: Leaf, validity: Validity | None = None) -> Credential:
        issuer = self.intermediate(leaf.role)
        key = ec.generate_private_key(self._curve)
        certificate = issuing.issue(leaf, key.public_key(), issuer, validity or self.validity, simulated=self.simulated)
        return Credential(key, (certificate, *issuer.chain))

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
        """A certificate that signs documents of one role; `serial` is the device's, the station's or the person's."""
        leaf = issuing.signer_leaf(role, name, self.organization, serial=serial, level=level, powers=powers)
        return self._issue(leaf, validity)

    def tls_client(self, serial: str, *, validity: Validity | None = None) -> Credential:
        """A camera's TLS client certificate: common name and serialNumber are the serial, and a URI names it."""
        return self._issue(issuing.tls_client_leaf(serial, self.organization), validity)

    def tls_server(
        self, host: str, addresses: Sequence[str] = ("127.0.0.1",), *, validity: Validity | None = None
    ) -> Credential:
        """A server certificate for a DNS name and addresses."""
        return self._issue(issuing.tls_server_leaf([host], addresses, self.organization), validity)

    def vault(self, name: str) -> Credential:
        """A vault certificate: objects are sealed to it, and nothing else is done with it."""
        return self._issue(issuing.vault_leaf(name, self.organization))

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
        crl = issuing.make_crl(issuer, revoked, len(revoked), now, now + dt.timedelta(days=30))
        return crl.public_bytes(serialization.Encoding.PEM)


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

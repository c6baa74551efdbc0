"""Who may say what: chains to the root, roles, times (design, invariants 11 and 12)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.cms import SignedMessage, check_signature
from evidence.errors import BadKey, UntrustedSigner
from evidence.keys import load_certificates
from evidence.revocation import Revocations, Revoked
from evidence.roles import Role, is_simulated, role_of, serial_of

SIGNING_ROLES: Final = frozenset({"camera", "receipt", "profile", "export", "release", "command", "proof"})


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _purposes(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return frozenset()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    usage = _usage(certificate)
    return constraints.ca and usage is not None and usage.key_cert_sign


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


@dataclass
class Trust:
    """One root that a verifier pinned."""

    root: x509.Certificate
    revocations: Revocations = field(default_factory=Revocations, repr=False)
    """What the authorities took back, as far as the verifier was told."""
    _chains: dict[tuple[x509.Certificate, ...], None] = field(default_factory=dict, repr=False)
    _roles: dict[tuple[Role, tuple[x509.Certificate, ...]], None] = field(default_factory=dict, repr=False)
    """What was found good before: every statement of a file brings the same chain."""

    @classmethod
    def load(cls, path: Path, crls: Iterable[Path] = ()) -> Trust:
        """From a PEM file with exactly one self-signed certificate, and files of revocation lists. Raises `BadKey`."""
        found = load_certificates(path)
        if len(found) != 1 or found[0].subject != found[0].issuer or not _is_authority(found[0]):
            raise BadKey(f"{path} must hold exactly one self-signed root certificate")
        return cls(found[0], Revocations.load(crls))

    @property
    def simulated(self) -> bool:
        """True for the root of a simulator."""
        return is_simulated(self.root)

    def check_chain(self, chain: Sequence[x509.Certificate]) -> None:
        """Signatures, authorities and path of a chain up to the root, without times. Raises `UntrustedSigner`."""
        key = tuple(chain)
        if key in self._chains:
            return
        above = [*chain[1:], self.root]
        for certificate, issuer in zip(chain, above, strict=True):
            try:
                certificate.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature) as error:
                raise UntrustedSigner(
                    f"certificate {_name(certificate)} does not lead to the root {_name(self.root)}"
                ) from error
            if not _is_authority(issuer):
                raise UntrustedSigner(f"certificate {_name(issuer)} may not issue certificates")
        if _is_authority(chain[0]):
            raise UntrustedSigner(f"the signer {_name(chain[0])} is an authority, not a device")
        if len(self._chains) > 64:
            self._chains.clear()
        self._chains[key] = None

    def check_role(self, chain: Sequence[x509.Certificate], role: Role) -> None:
        """The leaf and each intermediate state that role, and the key usage fits. Raises `UntrustedSigner`."""
        leaf, key = chain[0], (role, tuple(chain))
        if key in self._roles:
            return
        for certificate in chain:
            if role_of(certificate) != role:
                actual = role_of(certificate) or "no"
                raise UntrustedSigner(f"certificate {_name(certificate)} has the {actual} role, not {role}")
        if len(chain) < 2:
            raise UntrustedSigner(f"{_name(leaf)} was issued by the root itself; a {role} authority must stand between")
        if role in SIGNING_ROLES:
            usage = _usage(leaf)
            if (
                usage is None
                or not usage.digital_signature
                or ExtendedKeyUsageOID.EMAIL_PROTECTION not in _purposes(leaf)
            ):
                raise UntrustedSigner(f"certificate {_name(leaf)} is not one for signing {role} documents")
        if len(self._roles) > 64:
            self._roles.clear()
        self._roles[key] = None

    def check_time(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> None:
        """All certificates were valid at `at`. Raises `UntrustedSigner`."""
        for certificate in (*chain, self.root):
            if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
                raise UntrustedSigner(
                    f"certificate {_name(certificate)} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
                    f"to {certificate.not_valid_after_utc:%Y-%m-%d}, not at {at:%Y-%m-%d %H:%M:%S} UTC"
                )

    def revoked(self, chain: Sequence[x509.Certificate]) -> Revoked | None:
        """The earliest revocation in a chain, by the given lists. Raises `UntrustedSigner` for a false list."""
        return self.revocations.revoked(chain, self.root)

    @property
    def before_revocation(self) -> Trust:
        """The same trust before anything was taken back."""
        return replace(self, revocations=Revocations()) if self.revocations.crls else self

    def check(
        self, message: SignedMessage, *, role: Role, serial: str | None = None, at: dt.datetime | None = None
    ) -> None:
        """Everything about one message: signature, chain, role, revocation, and serial and time if given.

        Raises `BadSignature` or `UntrustedSigner`. With `at` None no validity time is judged. A revoked certificate is
        refused whenever it signed, since that time is its own word; who has proofs from others weighs them
        (`evidence.times`) and asks `before_revocation` here.
        """
        self.check_chain(message.chain)
        self.check_role(message.chain, role)
        if (taken := self.revoked(message.chain)) is not None:
            raise UntrustedSigner(f"certificate {taken.name} was revoked on {taken.at:%Y-%m-%d} ({taken.reason})")
        if serial is not None and serial_of(message.certificate) != serial:
            raise UntrustedSigner(f"signed by {serial_of(message.certificate)}, not by {serial}")
        if at is not None:
            self.check_time(message.chain, at)
        check_signature(message)

"""Roles of certificates and levels of keys, as object identifiers in the certificate policies extension.

One root, an intermediate for each role, each leaf with its own key usage (design, invariant 12). The arcs live under
2.25 (ITU-T X.667: a UUID as an object identifier, free for anyone), UUID 63f7a9c2-1d0e-4b57-9a86-2f8d1c5e7b40.
"""

from __future__ import annotations

import functools
from typing import Final, Literal

from cryptography import x509

ARC: Final = "2.25.132879512013243664781088272643484711744"

Role = Literal["camera", "tls", "receipt", "profile", "export", "release", "command", "vault", "proof"]
KeyLevel = Literal["file", "non_exportable", "verified_boot"]

ROLE_OIDS: Final[dict[Role, x509.ObjectIdentifier]] = {
    "camera": x509.ObjectIdentifier(f"{ARC}.1.1"),
    "tls": x509.ObjectIdentifier(f"{ARC}.1.2"),
    "receipt": x509.ObjectIdentifier(f"{ARC}.1.3"),
    "profile": x509.ObjectIdentifier(f"{ARC}.1.4"),
    "export": x509.ObjectIdentifier(f"{ARC}.1.5"),
    "release": x509.ObjectIdentifier(f"{ARC}.1.6"),
    "command": x509.ObjectIdentifier(f"{ARC}.1.7"),
    "vault": x509.ObjectIdentifier(f"{ARC}.1.8"),
    "proof": x509.ObjectIdentifier(f"{ARC}.1.9"),
}
KEY_LEVEL_OIDS: Final[dict[KeyLevel, x509.ObjectIdentifier]] = {
    "file": x509.ObjectIdentifier(f"{ARC}.2.1"),
    "non_exportable": x509.ObjectIdentifier(f"{ARC}.2.2"),
    "verified_boot": x509.ObjectIdentifier(f"{ARC}.2.3"),
}
SIMULATED_OID: Final = x509.ObjectIdentifier(f"{ARC}.3.1")
"""Stands in root, intermediates and leaves of the simulator; its footage is never evidence."""


@functools.lru_cache(maxsize=256)  # asked several times for each statement, of the same few certificates
def policies(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """The policy identifiers of a certificate; empty without the extension."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.CertificatePolicies)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(policy.policy_identifier for policy in extension.value)


def role_of(certificate: x509.Certificate) -> Role | None:
    """The one role that a certificate states; None for none or several."""
    found = policies(certificate)
    roles: list[Role] = [role for role, oid in ROLE_OIDS.items() if oid in found]
    return roles[0] if len(roles) == 1 else None


def key_level_of(certificate: x509.Certificate) -> KeyLevel | None:
    """How the key is kept, as the issuer of the certificate states it; None if it says nothing."""
    found = policies(certificate)
    levels: list[KeyLevel] = [level for level, oid in KEY_LEVEL_OIDS.items() if oid in found]
    return levels[0] if len(levels) == 1 else None


def is_simulated(certificate: x509.Certificate) -> bool:
    """True for the simulator's own public key infrastructure."""
    return SIMULATED_OID in policies(certificate)


@functools.lru_cache(maxsize=256)
def serial_of(certificate: x509.Certificate) -> str | None:
    """The device serial in the subject (attribute serialNumber, 2.5.4.5); None unless there is exactly one."""
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)
    return str(found[0].value) if len(found) == 1 else None

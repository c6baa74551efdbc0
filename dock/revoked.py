"""Whether a TLS certificate was taken back: OpenSSL's own check would refuse every peer once a list is out of date."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from dock.errors import BadConfig
from evidence.errors import EvidenceError
from evidence.keys import UNREADABLE
from evidence.revocation import Revocations


def load_authorities(path: Path) -> list[x509.Certificate]:
    """The authorities that TLS certificates come from. Raises `BadConfig`."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, *UNREADABLE) as error:
        raise BadConfig(f"tls.ca {path} cannot be used: {error}") from error


def revoked_because(der: bytes, authorities: Sequence[x509.Certificate], lists: Revocations) -> str | None:
    """Why the certificate (DER) does not count any more; None if it does. What is unknown does not count."""
    if not lists.crls:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        issuer = next(one for one in authorities if one.subject == certificate.issuer)
        taken = lists.revoked([certificate], issuer)
    except (StopIteration, *UNREADABLE):
        return "it names no authority of ours"
    except EvidenceError as error:
        return str(error)
    return None if taken is None else f"revoked on {taken.at:%Y-%m-%d} ({taken.reason})"

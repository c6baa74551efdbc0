"""Certificate revocation lists (RFC 5280, 5): from when on a certificate's signatures prove nothing by themselves.

Invariant 12: a signature predates a revocation only if a timestamp or a witness from before it covers the signature.
What is read here is only the date; `evidence.times` weighs it. A list counts only under the signature of the very
authority that issued the certificate; delta and indirect lists are refused, since half a list proves nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.errors import BadKey, UntrustedSigner

CRL_BYTES: Final = 8 * 1024 * 1024
"""Largest file of revocation lists that is read."""
CRLS: Final = 64
"""Most lists at once: one for each authority of three generations, and more."""
_END: Final = b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True)
class Revoked:
    """One certificate of a chain that its issuer took back."""

    name: str
    at: dt.datetime
    """Revocation date, or the invalidity date where the list names an earlier one (RFC 5280, 5.3.2)."""
    reason: str


def load_crls(path: Path) -> list[x509.CertificateRevocationList]:
    """All lists of a file, PEM (one or more) or DER (one). Raises `BadKey`; signatures are checked later."""
    try:
        with path.open("rb") as file:
            data = file.read(CRL_BYTES + 1)
    except OSError as error:
        raise BadKey(f"cannot read {path}: {error.strerror}") from error
    if len(data) > CRL_BYTES:
        raise BadKey(f"{path} is larger than a revocation list may be ({CRL_BYTES} bytes)")
    pieces = [piece + _END for piece in data.split(_END)[:-1]]
    if len(pieces) > CRLS:
        raise BadKey(f"{path} holds more than {CRLS} revocation lists")
    try:
        found = [x509.load_pem_x509_crl(piece) for piece in pieces] or [x509.load_der_x509_crl(data)]
        for crl in found:
            _ = crl.issuer, crl.next_update_utc  # read lazily by the library: a malformed one must be told here
            _check_form(crl, path)
    except BadKey:
        raise
    except Exception as error:  # the library raises many kinds for hostile lists
        raise BadKey(f"{path} holds no revocation list (PEM or DER)") from error
    return found


def _check_form(crl: x509.CertificateRevocationList, path: Path) -> None:
    known = (x509.CRLNumber, x509.AuthorityKeyIdentifier)
    for extension in crl.extensions:
        if extension.critical and not isinstance(extension.value, known):
            raise BadKey(f"{path} is a partial, delta or indirect revocation list: get the issuer's full one")


def _key_identifier(crl: x509.CertificateRevocationList) -> bytes | None:
    try:
        return crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def _own_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False


@dataclass
class Revocations:
    """The lists that a verifier was given."""

    crls: tuple[x509.CertificateRevocationList, ...] = ()
    _checked: dict[tuple[int, x509.Certificate], None] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Revocations:
        """From files. Raises `BadKey`."""
        found = [crl for path in paths for crl in load_crls(path)]
        if len(found) > CRLS:
            raise BadKey(f"more than {CRLS} revocation lists")
        return cls(tuple(found))

    def revoked(self, chain: Sequence[x509.Certificate], root: x509.Certificate) -> Revoked | None:
        """The earliest revocation in a chain (leaf first, without the root).

        Raises `UntrustedSigner` for a list in the issuer's name that the issuer did not sign.
        """
        if not self.crls:
            return None
        above = [*chain[1:], root]
        found = [
            entry
            for certificate, issuer in zip(chain, above, strict=True)
            for number, crl in enumerate(self.crls)
            if self._applies(number, crl, issuer) and (entry := _entry(crl, certificate)) is not None
        ]
        return min(found, key=lambda one: one.at, default=None)

    def _applies(self, number: int, crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
        if crl.issuer != issuer.subject:
            return False
        identifier, own = _key_identifier(crl), _own_identifier(issuer)
        if identifier is not None and own is not None and identifier != own:
            return False  # of an older or newer key of an authority of that name
        if (number, issuer) not in self._checked:
            key = issuer.public_key()
            try:
                signed = isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
            except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
                signed = False
            if not signed or not _may_sign_lists(issuer):
                raise UntrustedSigner(
                    f"the revocation list of {issuer.subject.rfc4514_string()} is not signed by it: get it again"
                )
            self._checked[number, issuer] = None
        return True

    def stale(self, now: dt.datetime) -> list[str]:
        """A sentence for each list that its issuer has replaced by now."""
        return [
            f"the revocation list of {crl.issuer.rfc4514_string()} is out of date since {crl.next_update_utc:%Y-%m-%d}"
            for crl in self.crls
            if crl.next_update_utc is not None and crl.next_update_utc < now
        ]


def _entry(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> Revoked | None:
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return None
    at, reason = entry.revocation_date_utc, "no reason given"
    for extension in entry.extensions:
        if isinstance(extension.value, x509.InvalidityDate):
            at = min(at, extension.value.invalidity_date_utc)
        elif isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.value
    return Revoked(certificate.subject.rfc4514_string(), at, reason)

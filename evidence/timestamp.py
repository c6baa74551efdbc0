"""RFC 3161 timestamps: an authority outside the agency vouches that a file existed not later than a time (layer D).

The imprint is SHA-256 over the whole evidence file, so that this judges the same token, without any code of ours:
``openssl ts -verify -data FILE -in FILE.tsr -CAfile tsa-root.pem``. A `.tsr` is the authority's whole TimeStampResp.
The authority's root is a pin of its own (`--tsa-root`), never the agency's: its word is worth the more for that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from evidence import der
from evidence.errors import BadKey, UntrustedSigner
from evidence.keys import load_certificates
from evidence.times import TimeProof

TOKEN_BYTES: Final = 64 * 1024
"""Largest timestamp response that is read."""
SUFFIX: Final = ".tsr"
"""Stands behind the file's whole name: ``SIM-0001-000001.evidence.tsr``."""
_SHA256_OID: Final = "2.16.840.1.101.3.4.2.1"
_TRUE: Final = b"\x01\x01\xff"


class BadTimestamp(UntrustedSigner):
    """A timestamp that does not hold: of other bytes, of another authority, or no timestamp at all."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A token that was verified."""

    at: dt.datetime
    """The authority's time plus the accuracy that it states: the file is not younger."""
    sha256: str
    authority: str
    serial: int

    @property
    def proof(self) -> TimeProof:
        return TimeProof(self.at, self.sha256, f"timestamp of {self.authority}")


def timestamp_request(sha256: str, nonce: int) -> bytes:
    """A TimeStampReq (RFC 3161, 2.4.1) for a file's SHA-256 (hexadecimal), with the signer's certificate asked for."""
    imprint = der.sequence(der.sequence(der.oid(_SHA256_OID)), der.tlv(der.OCTET_STRING, bytes.fromhex(sha256)))
    return der.sequence(der.integer(1), imprint, der.integer(nonce), _TRUE)


@dataclass(frozen=True)
class TimestampTrust:
    """The authorities whose timestamps count."""

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()

    @classmethod
    def load(cls, path: Path) -> TimestampTrust:
        """From a PEM file: self-signed certificates are roots, others help to build the chain. Raises `BadKey`."""
        found = load_certificates(path)
        roots = tuple(one for one in found if one.subject == one.issuer)
        if not roots:
            raise BadKey(f"{path} holds no self-signed root certificate of a timestamp authority")
        _library()
        return cls(roots, tuple(one for one in found if one not in roots))

    def check(self, response: bytes, *, nonce: int | None = None) -> Timestamp:
        """Judge a TimeStampResp: granted, signed by a timestamping certificate under a root that was valid then.

        With `nonce`, it must be the answer to that request. Whose bytes it covers is the caller's question: compare
        `sha256`. Raises `BadTimestamp`.
        """
        info = _read(response)
        library = _library()
        builder = library.VerifierBuilder(roots=list(self.roots), intermediates=list(self.intermediates), nonce=nonce)
        decoded = library.decode_timestamp_response(response)
        imprint: bytes = info.message_imprint.message
        try:
            builder.build().verify(decoded, imprint)
        except (library.VerificationError, ValueError, TypeError) as error:
            raise BadTimestamp(f"the timestamp does not hold: {str(error)[:300] or 'unknown authority'}") from error
        return Timestamp(_latest(info), imprint.hex(), _signer_of(decoded), info.serial_number)


def check_form(response: bytes, sha256: str, nonce: int) -> None:
    """Whether a response answers our request, without trusting it: for a station that pins no authority.

    Raises `BadTimestamp`.
    """
    info = _read(response)
    if info.message_imprint.message.hex() != sha256 or info.nonce != nonce:
        raise BadTimestamp("the timestamp authority answered another request than ours")


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError as error:
        raise BadKey("timestamps need rfc3161-client: install firsthand[export] or firsthand[station]") from error
    return rfc3161_client


def _read(response: bytes) -> Any:
    """The TSTInfo of a granted response over a SHA-256 imprint. Raises `BadTimestamp`."""
    if len(response) > TOKEN_BYTES:
        raise BadTimestamp(f"a timestamp of {len(response)} bytes is over the limit of {TOKEN_BYTES}")
    try:
        decoded = _library().decode_timestamp_response(response)
        if decoded.status not in (0, 1):
            raise BadTimestamp(f"the timestamp authority refused (status {decoded.status})")
        info = decoded.tst_info
        algorithm, digest = info.message_imprint.hash_algorithm.dotted_string, info.message_imprint.message
    except (ValueError, TypeError) as error:
        raise BadTimestamp("not a timestamp response (RFC 3161, DER)") from error
    if algorithm != _SHA256_OID or len(digest) != 32:
        raise BadTimestamp("the timestamp is not over a SHA-256")
    return info


def _latest(info: Any) -> dt.datetime:
    at: dt.datetime = info.gen_time
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    accuracy = info.accuracy
    if accuracy is None:
        return at
    return at + dt.timedelta(
        seconds=accuracy.seconds or 0, milliseconds=accuracy.millis or 0, microseconds=accuracy.micros or 0
    )


def _signer_of(decoded: Any) -> str:
    certificates: Sequence[bytes] = list(decoded.signed_data.certificates)
    for info in decoded.signed_data.signer_infos:
        for encoded in certificates:
            certificate = x509.load_der_x509_certificate(encoded)
            if certificate.serial_number == info.serial_number and certificate.issuer == info.issuer:
                return certificate.subject.rfc4514_string()
        return str(info.issuer.rfc4514_string())
    return "an unnamed authority"

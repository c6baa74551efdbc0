"""TLS 1.3 with certificates on both sides, and nothing but the agency's own authorities (R6, invariant 12)."""

from __future__ import annotations

import datetime as dt
import logging
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509

from dock.config import Tls
from dock.errors import BadConfig
from evidence.key_files import exposure
from evidence.keys import UNREADABLE
from evidence.roles import role_of, serial_of

log = logging.getLogger(__name__)
_SERIAL: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME (OpenSSL); Python has no name for it."""


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection, as its verified certificate says."""

    serial: str
    """Subject serialNumber: the camera's serial."""
    certificate: bytes = field(default=b"", repr=False)
    """DER, to be held against revocation lists."""


def server_context(tls: Tls) -> ssl.SSLContext:
    """For the station: a client without a certificate of our authorities is refused. Raises `BadConfig`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    _load(context, tls)
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_context(tls: Tls, *, check_time: bool = True) -> ssl.SSLContext:
    """For the camera: host name and chain are checked. Raises `BadConfig`.

    A camera that woke in 1970 cannot judge validity times, and gets its time from the station: with `check_time` False
    they are left to the caller, who judges them at the time in the station's signed greeting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, tls)
    if not check_time:
        context.verify_flags |= _NO_CHECK_TIME
    return context


def refuse_open_key(path: Path, setting: str) -> None:
    """A key that others can get at lets them be us: refused before it is used. Raises `BadConfig`."""
    found = exposure(path)
    if found is None:
        return
    if found.grave:
        raise BadConfig(f"{setting}: {found.sentence}")
    log.warning("%s: %s", setting, found.sentence)


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"tls.certificate {tls.certificate} and tls.key {tls.key} cannot be used: {error}") from error
    try:
        context.load_verify_locations(cafile=tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"tls.ca {tls.ca} cannot be used: {error}") from error


def peer_of(der: bytes | None) -> Peer | None:
    """The camera behind a verified client certificate (DER); None unless it has the TLS role and one good serial."""
    if not der:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        serial = serial_of(certificate) if role_of(certificate) == "tls" else None
    except UNREADABLE:
        return None
    # Files are named after it: whatever an authority was made to sign, it is no path.
    return Peer(serial, der) if serial and _SERIAL.fullmatch(serial) else None


def valid_at(der: bytes, at: dt.datetime) -> bool:
    """Whether the certificate (DER) is within its validity at `at`; False for one that cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except UNREADABLE:
        return False
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def own_start(tls: Tls) -> dt.datetime:
    """From when our own certificate is valid: a clock before it is wrong. Raises `BadConfig`."""
    try:
        return x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0].not_valid_before_utc
    except (OSError, *UNREADABLE) as error:
        raise BadConfig(f"tls.certificate {tls.certificate} cannot be read: {error}") from error


def own_serial(tls: Tls) -> str:
    """The serial in our own TLS certificate. Raises `BadConfig`."""
    try:
        certificate = x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0]
        serial = serial_of(certificate) if role_of(certificate) == "tls" else None
    except (OSError, *UNREADABLE) as error:
        raise BadConfig(f"tls.certificate {tls.certificate} cannot be read: {error}") from error
    if serial is None:
        raise BadConfig(f"tls.certificate {tls.certificate} is not a camera's TLS certificate (TLS role, serial)")
    return serial

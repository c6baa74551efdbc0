"""Enrolment over Secure Transport on the wire (RFC 7030): base64 PKCS#10 in, certs-only PKCS#7 out.

Both sides read with these functions: sizes are bounded, base64 is strict but for line ends, and anything else is one
sentence.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
import warnings
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from evidence.limits import CERTIFICATE_BYTES
from fleet.csr import REQUEST_BYTES
from fleet.errors import RequestRefused, WrongServer

PREFIX: Final = "/.well-known/est"
REQUEST_TYPE: Final = "application/pkcs10"
ANSWER_TYPE: Final = "application/pkcs7-mime"
BODY_BYTES: Final = 2 * REQUEST_BYTES
"""Largest body of a request, as base64 with line ends."""
ANSWER_BYTES: Final = 256 * 1024
CERTIFICATES: Final = 64
"""Most certificates in an answer."""


def decode_body(data: bytes) -> bytes:
    """The DER in a request's body. Raises `RequestRefused`."""
    if len(data) > BODY_BYTES:
        raise RequestRefused(f"an enrolment request has at most {BODY_BYTES} bytes", 413)
    try:
        found = _unwrapped(data)
    except ValueError as error:
        raise RequestRefused("the body of an enrolment is a PKCS#10 request in base64", 400) from error
    if not found:
        raise RequestRefused("the enrolment request is empty", 400)
    return found


def encode_body(der: bytes) -> bytes:
    """base64 in lines, as RFC 2045 has them."""
    return "\r\n".join([*textwrap.wrap(base64.b64encode(der).decode(), 76), ""]).encode()


def encode_answer(certificates: Sequence[x509.Certificate]) -> bytes:
    """A certs-only PKCS#7 in base64."""
    return encode_body(pkcs7.serialize_certificates(list(certificates), serialization.Encoding.DER))


def decode_answer(data: bytes) -> list[x509.Certificate]:
    """The certificates of an answer. Raises `WrongServer`."""
    if len(data) > ANSWER_BYTES:
        raise WrongServer("the enrolment server's answer is larger than any of ours")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # BER where DER is due, numbers that are not positive: refused, not mended
            found = pkcs7.load_der_pkcs7_certificates(_unwrapped(data))
            sizes = [len(one.public_bytes(serialization.Encoding.DER)) for one in found]
            for one in found:  # read lazily by the library: a malformed one must be told here
                _ = one.extensions, one.subject, one.issuer, one.public_key()
    except Exception as error:  # the library raises many kinds for hostile answers
        raise WrongServer("the enrolment server's answer holds no certificates (PKCS#7 in base64)") from error
    if len(found) > CERTIFICATES or max(sizes, default=0) > CERTIFICATE_BYTES:
        raise WrongServer("the enrolment server's answer holds too many or too large certificates")
    return found


def basic_header(serial: str, token: str) -> str:
    """The value of ``Authorization`` for a serial and its token (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{serial}:{token}".encode()).decode()


def parse_basic(header: str | None) -> tuple[str, str]:
    """(serial, token) of ``Authorization``. Raises `RequestRefused` (401)."""
    if header is None or len(header) > 512:
        raise RequestRefused("an enrolment needs its serial and one-time token (HTTP Basic)", 401)
    scheme, _, value = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        serial, colon, token = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        if not (serial and colon and token):
            raise ValueError(value)
    except ValueError as error:
        raise RequestRefused("the authorization is not a serial and a token (HTTP Basic)", 401) from error
    return serial, token


def _unwrapped(data: bytes) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(data.replace(b"\r", b"").replace(b"\n", b""), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error

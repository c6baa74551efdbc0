"""The camera's side of an enrolment on the wire: one HTTPS request at a time, to a server whose root is pinned.

1. Before the root is known, only /cacerts is asked, and of its answer only the certificate with the fingerprint that
   the technician typed is believed (RFC 7030, 4.1.1). No token goes over such a connection.
2. Afterwards nothing but that root counts: TLS 1.3, host name checked, no redirect followed (R6).
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from fleet import est, issuing
from fleet.errors import RequestRefused, ServerUnreachable, WrongServer

_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Server:
    """An enrolment server."""

    url: str
    """``https://HOST:PORT``"""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise WrongServer(f"{self.url!r} is no address of an enrolment server: write https://HOST:PORT")

    def authorities(self, sha256: str) -> tuple[x509.Certificate, list[x509.Certificate]]:
        """The root with that fingerprint, and all authorities that the server tells of. Raises `FleetError`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # rule 1: what comes is believed by its fingerprint only
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        found = est.decode_answer(self._call(context, "GET", "/cacerts", {}, b""))
        return with_fingerprint(found, sha256), found

    def trusted(
        self,
        root: x509.Certificate,
        identity: tuple[Path, Path] | None = None,
        authorities: Sequence[x509.Certificate] = (),
    ) -> Session:
        """A session with a server under that root; `identity` is our TLS certificate and key.

        Of the `authorities`, those that lead to the root are offered to TLS: a server in the middle of a change of
        roots sends two ways up, and OpenSSL tries only the first unless it knows the right one.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(
            cadata=issuing.pem(root, *(one for one in authorities if leads_to(root, one))).decode()
        )
        if identity is not None:
            try:
                context.load_cert_chain(*identity)
            except (OSError, ssl.SSLError) as error:
                raise WrongServer(f"our TLS certificate {identity[0]} cannot be used: {error}") from error
        return Session(self, context)

    def _call(self, context: ssl.SSLContext, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=_TIMEOUT_S, context=context)
        try:
            connection.request(method, est.PREFIX + path, body or None, headers)
            response = connection.getresponse()
            data = response.read(est.ANSWER_BYTES + 1)
        except ssl.SSLCertVerificationError as error:
            raise WrongServer(f"the server at {self.url} is not one of ours: {error.verify_message}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            told = str(error) or type(error).__name__
            raise ServerUnreachable(f"the enrolment server {self.url} cannot be asked now: {told}") from error
        finally:
            connection.close()
        if response.status == 200:
            return data
        told = data[:300].decode("utf-8", "replace").strip()
        if response.status in (400, 401, 403, 404, 413, 415):
            raise RequestRefused(f"the enrolment server refuses: {told}", response.status)
        raise ServerUnreachable(f"the enrolment server {self.url} answers {response.status}: {told}")


@dataclass(frozen=True)
class Session:
    """A server that has proven itself under the pinned root."""

    server: Server
    context: ssl.SSLContext = field(repr=False)

    def authorities(self) -> list[x509.Certificate]:
        """All authorities, to build chains from."""
        return est.decode_answer(self.server._call(self.context, "GET", "/cacerts", {}, b""))

    def certificate(self, path: str, request: bytes, authorization: str | None = None) -> x509.Certificate:
        """Send a request (DER) to ``LABEL/simpleenroll`` or ``LABEL/simplereenroll``. Raises `FleetError`."""
        headers = {"Content-Type": est.REQUEST_TYPE, "Content-Transfer-Encoding": "base64"}
        if authorization is not None:
            headers["Authorization"] = authorization
        data = self.server._call(self.context, "POST", f"/{path}", headers, est.encode_body(request))
        found = est.decode_answer(data)
        if len(found) != 1:
            raise WrongServer(f"the server sent {len(found)} certificates where one was asked for")
        return found[0]


def with_fingerprint(authorities: Sequence[x509.Certificate], sha256: str) -> x509.Certificate:
    """The root with that fingerprint. Raises `WrongServer`."""
    for one in authorities:
        if _sha256(one) == sha256.replace(":", "").lower() and one.issuer == one.subject:
            return one
    raise WrongServer(f"the server does not have the root {sha256}: compare the fingerprint with `ca show`")


def leads_to(root: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether that root issued the authority."""
    return authority.issuer == root.subject and authority != root and _issued(authority, root)


def chain_to(
    root: x509.Certificate, leaf: x509.Certificate, authorities: list[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The leaf with what stands between it and the root. Raises `WrongServer`."""
    for one in authorities:
        if leaf.issuer == one.subject and leads_to(root, one) and _issued(leaf, one):
            return (leaf, one)
    raise WrongServer("the certificate that came does not lead to the pinned root")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

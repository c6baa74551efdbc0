"""The camera's own keys and certificates: made where they are used, certified by the agency's authority (R6).

    root.pem, tls-ca.pem               whom this camera believes
    camera.pem, camera.key             evidence; the key may be in a token instead
    camera-tls.pem, camera-tls.key     the network side
    enrolment.toml                     where `renew` asks

1. A key is durable before it is certified, and never overwritten: an enrolment that was cut off goes on with its keys.
2. What comes back is believed only if it is for our key, our serial and the purpose asked for, under the pinned root.
3. A renewed TLS key and its certificate come into place by two renames; what a crash left half done is finished by the
   next run before anything else.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.errors import UntrustedSigner
from evidence.keys import (
    SIGNING_CURVES,
    in_token,
    load_certificates,
    load_private_key,
    low_s,
    order_of,
    prehashed,
    same_public_key,
)
from evidence.roles import is_simulated, role_of, serial_of
from evidence.trust import Trust
from fleet import est, issuing
from fleet.authority_store import fingerprint, toml_string
from fleet.csr import make_request
from fleet.enrolment import PURPOSES, Purpose
from fleet.enrolment_settings import EnrolmentSettings, load_enrolment
from fleet.errors import BadAuthority, WrongServer
from fleet.est_client import Server, Session, chain_to, leads_to, with_fingerprint
from fleet.issuing import CURVES, Credential, Curve
from fleet.token_key import KeyInToken

STEMS: dict[Purpose, str] = {"camera": "camera", "tls": "camera-tls"}


class RequestKey(Protocol):
    """A key that a request is made for."""

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey: ...

    def sign_digest(self, digest: bytes) -> bytes: ...


@dataclass(frozen=True)
class FileKey:
    """A key in a file."""

    key: ec.EllipticCurvePrivateKey

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.key.public_key()

    def sign_digest(self, digest: bytes) -> bytes:
        return low_s(self.key.sign(digest, prehashed(digest)), order_of(self.key.curve))

    @classmethod
    def kept(cls, path: Path, curve: Curve) -> FileKey:
        """The key in that file; a new one if there is none. Durable. Raises `BadKey`, OSError."""
        if not path.exists():
            made = Credential(ec.generate_private_key(CURVES[curve]), ())
            durable.write_new(path, made.key_pem(), mode=0o600)
        return cls(load_private_key(path, curves=SIGNING_CURVES))


def enrol(
    server: Server,
    sha256: str,
    serial: str,
    token: str,
    out: Path,
    *,
    evidence_key: str | None = None,
    curve: Curve = "P-256",
) -> None:
    """Make keys, have them certified, write everything into `out`. Raises `FleetError`, `EvidenceError`, OSError."""
    if (out / "enrolment.toml").exists():
        raise BadAuthority(f"{out} holds the keys of an enrolled camera: use renew, or another directory")
    root, authorities = server.authorities(sha256)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keep_root(out / "root.pem", root)
    session = server.trusted(root, authorities=authorities)
    where = evidence_key or "camera.key"
    keys: dict[Purpose, RequestKey] = {
        "camera": KeyInToken(where, curve) if in_token(where) else FileKey.kept(out / where, curve),
        "tls": FileKey.kept(out / "camera-tls.key", curve),
    }
    for purpose in PURPOSES:
        key = keys[purpose]
        request = make_request(serial, key.public_key, key.sign_digest)
        leaf = session.certificate(f"{purpose}/simpleenroll", request, est.basic_header(serial, token))
        chain = checked(Trust(root), leaf, authorities, purpose, serial, key.public_key)
        durable.replace(out / f"{STEMS[purpose]}.pem", issuing.pem(*chain), mode=0o644)
    _write_tls_ca(out, [root], authorities)
    words = {"server": server.url.rstrip("/"), "serial": serial, "evidence_key": where}
    text = "".join(f"{name} = {toml_string(value)}\n" for name, value in words.items())
    durable.write_new(out / "enrolment.toml", text.encode(), mode=0o644)


def checked(
    trust: Trust,
    leaf: x509.Certificate,
    authorities: list[x509.Certificate],
    purpose: Purpose,
    serial: str,
    key: ec.EllipticCurvePublicKey,
) -> tuple[x509.Certificate, ...]:
    """The chain of a certificate that came back, if it is what was asked for (rule 2). Raises `WrongServer`."""
    chain = chain_to(trust.root, leaf, authorities)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        trust.check_chain(chain)
        trust.check_role(chain, purpose)
    except UntrustedSigner as error:
        raise WrongServer(f"what the server sent is not the certificate that was asked for: {error}") from error
    if leaf.public_key().public_bytes(*form) != key.public_bytes(*form):
        raise WrongServer("the server sent a certificate for another key")
    if serial_of(leaf) != serial:
        raise WrongServer(f"the server sent a certificate for {serial_of(leaf)}, not for {serial}")
    if is_simulated(leaf) != trust.simulated:
        raise WrongServer("the server mixes simulated and real certificates")
    return chain


def _keep_root(path: Path, root: x509.Certificate) -> None:
    if path.exists() and fingerprint(load_certificates(path)[0]) != fingerprint(root):
        raise WrongServer(f"{path} is another root: a camera changes its agency in a new directory")
    durable.replace(path, issuing.pem(root), mode=0o644)


def _write_tls_ca(out: Path, roots: list[x509.Certificate], authorities: list[x509.Certificate]) -> None:
    """The roots, and of the authorities those for TLS that lead to one of them."""
    found = [one for one in authorities if role_of(one) == "tls" and any(leads_to(root, one) for root in roots)]
    durable.replace(out / "tls-ca.pem", issuing.pem(*found, *roots), mode=0o644)


def renew(
    config: Path,
    *,
    now: dt.datetime,
    force: bool = False,
    new_root: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> list[Purpose]:
    """Renew what is due; which. Raises `FleetError`, `EvidenceError`, OSError.

    With `new_root`, a fingerprint, everything is renewed under that root of the same agency, which is pinned then.
    """
    settings, directory = load_enrolment(config), config.resolve().parent
    finish_swap(directory)
    due = [one for one in PURPOSES if force or new_root or is_due(_leaf(directory, one), settings, now)]
    if not due:
        return []
    roots = [load_certificates(directory / "root.pem")[0]]
    identity = (directory / "camera-tls.pem", directory / "camera-tls.key")
    known = load_certificates(directory / "tls-ca.pem")
    session = Server(settings.server).trusted(roots[0], identity, known)
    authorities = session.authorities()
    if new_root is not None:
        roots.insert(0, with_fingerprint(authorities, new_root))
        _write_tls_ca(directory, roots, authorities)  # both for a while: its station may be earlier or later
    trust = Trust(roots[0])
    for purpose in due:  # evidence first: the TLS key that answers for it changes last
        present = _leaf(directory, purpose)
        if purpose == "camera":
            _renew_evidence(directory, settings, session, trust, authorities, present)
        else:
            _renew_tls(directory, settings, session, trust, authorities, present)
        until = _leaf(directory, purpose).not_valid_after_utc
        told(f"renewed {STEMS[purpose]}.pem, now valid until {until:%Y-%m-%d}")
    durable.replace(directory / "root.pem", issuing.pem(roots[0]), mode=0o644)
    _write_tls_ca(directory, roots, authorities)
    return due


def is_due(certificate: x509.Certificate, settings: EnrolmentSettings, now: dt.datetime) -> bool:
    """Near its end: fewer than `renew_days` left, or less than a third of a shorter life."""
    end, life = certificate.not_valid_after_utc, certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return end - now < min(dt.timedelta(days=settings.renew_days), life / 3)


def _leaf(directory: Path, purpose: Purpose) -> x509.Certificate:
    return load_certificates(directory / f"{STEMS[purpose]}.pem")[0]


def _curve(certificate: x509.Certificate) -> Curve:
    key = certificate.public_key()
    return "P-384" if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size == 384 else "P-256"


def _renew_evidence(
    directory: Path,
    settings: EnrolmentSettings,
    session: Session,
    trust: Trust,
    authorities: list[x509.Certificate],
    present: x509.Certificate,
) -> None:
    where = settings.evidence_key
    key: RequestKey = (
        KeyInToken(where, _curve(present))
        if in_token(where)
        else FileKey(load_private_key(directory / where, curves=SIGNING_CURVES))
    )
    request = make_request(settings.serial, key.public_key, key.sign_digest)
    leaf = session.certificate("camera/simplereenroll", request)
    chain = checked(trust, leaf, authorities, "camera", settings.serial, key.public_key)
    durable.replace(directory / "camera.pem", issuing.pem(*chain), mode=0o644)


def _renew_tls(
    directory: Path,
    settings: EnrolmentSettings,
    session: Session,
    trust: Trust,
    authorities: list[x509.Certificate],
    present: x509.Certificate,
) -> None:
    path = directory / ("camera-tls.next.key" if settings.new_tls_key else "camera-tls.key")
    key = FileKey.kept(path, _curve(present))
    _same_owner(directory / "camera-tls.key", path)
    request = make_request(settings.serial, key.public_key, key.sign_digest)
    leaf = session.certificate("tls/simplereenroll", request)
    chain = checked(trust, leaf, authorities, "tls", settings.serial, key.public_key)
    durable.replace(directory / "camera-tls.next.pem", issuing.pem(*chain), mode=0o644)
    finish_swap(directory)


def _same_owner(old: Path, new: Path) -> None:
    """The user who reads the old key reads the new one, when root renews it."""
    owner = old.stat()
    if os.geteuid() == 0 and new.stat().st_uid != owner.st_uid:
        with contextlib.suppress(PermissionError):  # the unit may not; systemd-tmpfiles does it after us
            os.chown(new, owner.st_uid, owner.st_gid, follow_symlinks=False)


def finish_swap(directory: Path) -> None:
    """Bring the next TLS key and certificate into place (rule 3). Raises `EvidenceError`, OSError."""
    pem, key = directory / "camera-tls.next.pem", directory / "camera-tls.next.key"
    if not pem.exists():
        return
    certificate = load_certificates(pem)[0]
    if key.exists() and same_public_key(load_private_key(key, curves=SIGNING_CURVES), certificate):
        durable.rename(key, directory / "camera-tls.key")
    if same_public_key(load_private_key(directory / "camera-tls.key", curves=SIGNING_CURVES), certificate):
        durable.rename(pem, directory / "camera-tls.pem")

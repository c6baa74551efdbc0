"""What the authority decides at an enrolment or a renewal: the rules of docs/keys/enrolment.md (R6, R11).

1. First certificates, and every new evidence key, need a one-time token: a technician held the camera in hand.
2. A renewal needs the present TLS certificate, live in the register. It may bring a new TLS key; the evidence key stays
   the same, since the network side of a camera holds the TLS key and must never become able to sign evidence
   (invariant 7).
3. Serial, names, purposes and key level are what the authority knows. Only the public key is the camera's word.
4. A public key serves one owner and one purpose for ever; one that was taken back never returns (invariant 12).
"""

from __future__ import annotations

from typing import Final, Literal, cast

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.roles import KeyLevel, Role
from fleet import issuing
from fleet.authority_store import Keys, now
from fleet.csr import Request
from fleet.errors import RequestRefused
from fleet.issued import Issued, number_of
from fleet.issuing import Leaf
from fleet.tokens import SERIAL, check_token

Purpose = Literal["camera", "tls"]
PURPOSES: Final[tuple[Purpose, ...]] = ("camera", "tls")
MOST_A_DAY: Final = 24
"""Certificates of one purpose that one camera gets in a day: a broken timer must not fill the register."""


def enrol(keys: Keys, serial: str, token: str, purpose: Purpose, request: Request) -> x509.Certificate:
    """A first certificate, for a token. Raises `RequestRefused`."""
    register, now_s = keys.store.register, int(now().timestamp())
    if SERIAL.fullmatch(serial) is None:
        raise RequestRefused("the user name of an enrolment is the camera's serial, e.g. CAM-0042", 401)
    known = check_token(register, serial, token, now_s)
    certificate = keys.sign(_leaf(keys, purpose, serial, known.level), request.key)[0]
    with register.alone() as database:
        done = database.execute(
            "SELECT spki, number FROM redeemed WHERE sha256 = ? AND role = ?", (known.sha256, purpose)
        ).fetchone()
        if done is not None:
            return _again(keys, done[0], done[1], request, now_s)
        _refuse_used_key(register.find("spki = ?", request.spki), serial, purpose)
        register.add(certificate, keys.store.current.number, now_s)
        row = (known.sha256, purpose, request.spki, number_of(certificate))
        database.execute("INSERT INTO redeemed VALUES (?,?,?,?)", row)
    return certificate


def _again(keys: Keys, spki: str, number: str, request: Request, now_s: int) -> x509.Certificate:
    (row,) = keys.store.register.find("number = ?", number)
    if spki != request.spki or not row.live(now_s):
        raise RequestRefused("this token was used already: make another with firsthand-fleet enrol-token")
    return row.certificate


def renew(keys: Keys, peer: x509.Certificate, purpose: Purpose, request: Request) -> x509.Certificate:
    """The next certificate of a camera that shows its present TLS certificate. Raises `RequestRefused`."""
    register, now_s = keys.store.register, int(now().timestamp())
    shown = register.by_certificate(peer)
    if shown is None or shown.role != "tls" or SERIAL.fullmatch(shown.owner) is None or not _is_client(peer):
        raise RequestRefused("this is not a TLS certificate of a camera of ours")
    serial = shown.owner
    with register.alone():
        rows = register.find("owner = ?", serial)
        shown = next(one for one in rows if one.number == shown.number)
        if shown.revoked_s is not None:
            raise RequestRefused(
                f"the certificate was taken back ({shown.reason}): {serial} comes back with a token, or not at all"
            )
        if not shown.live(now_s):
            raise RequestRefused("the certificate has run out: enrol again with a token")
        mine = [one for one in rows if one.role == purpose]
        if sum(one.issued_s > now_s - 86_400 for one in mine) >= MOST_A_DAY:
            raise RequestRefused(f"{serial} had {MOST_A_DAY} certificates today: look at its timer", 429)
        same = [one for one in mine if one.spki == request.spki and one.live(now_s)]
        if purpose == "camera" and not same:
            raise RequestRefused("a renewal keeps the evidence key: a new one needs a token, and the camera in hand")
        if not same:
            _refuse_used_key(register.find("spki = ?", request.spki), serial, purpose)
        level = cast("KeyLevel", same[-1].level if same and same[-1].level else "file")
        certificate = keys.sign(_leaf(keys, purpose, serial, level), request.key)[0]
        register.add(certificate, keys.store.current.number, now_s)
    return certificate


def _refuse_used_key(rows: list[Issued], serial: str, role: Role) -> None:
    for row in rows:
        if row.revoked_s is not None:
            raise RequestRefused("this key was taken back once: make a new one")
        if (row.owner, row.role) != (serial, role):
            raise RequestRefused("this key serves another purpose or another camera: make a new one for each")


def _leaf(keys: Keys, purpose: Purpose, serial: str, level: KeyLevel) -> Leaf:
    organization = keys.store.settings.organization
    if purpose == "tls":
        return issuing.tls_client_leaf(serial, organization)
    return issuing.signer_leaf("camera", f"Camera {serial}", organization, serial=serial, level=level)


def _is_client(certificate: x509.Certificate) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in purposes

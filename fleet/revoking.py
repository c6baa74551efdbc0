"""Taking certificates back: the register's word, and signed lists for everyone who verifies (R11; RFC 5280, 5).

Lists of all authorities go into one file, ``lists/revoked.crl``, which `evidence.revocation` reads, and which openssl
reads. A list of the root itself needs the root's key, and is made with it (`ca init`, `ca crl --root`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence import durable
from evidence.keys import load_certificates
from evidence.revocation import load_crls
from evidence.roles import Role
from fleet import issuing
from fleet.authority_store import ROLES, AuthorityStore, Generation, Keys, now
from fleet.errors import BadAuthority
from fleet.issued import Issued, Reason
from fleet.issuing import Credential

ROOT_LIST_DAYS: Final = 365
_FLAGS: Final[dict[Reason, x509.ReasonFlags]] = {
    "lost": x509.ReasonFlags.key_compromise,
    "stolen": x509.ReasonFlags.key_compromise,
    "key_compromise": x509.ReasonFlags.key_compromise,
    "retired": x509.ReasonFlags.cessation_of_operation,
    "replaced": x509.ReasonFlags.superseded,
    "transferred": x509.ReasonFlags.affiliation_changed,
}
"""A lost or stolen camera's key may be in other hands: to a verifier it is compromised."""


def find(store: AuthorityStore, what: str) -> list[Issued]:
    """Certificates that `what` names: a PEM file, a certificate's number, or the serial of a camera, station or person.

    Raises `BadAuthority` if there is none.
    """
    if what.endswith(".pem") or "/" in what:
        certificate = load_certificates(Path(what))[0]
        found = store.register.by_certificate(certificate)
        rows = [found] if found else []
    else:
        rows = store.register.find("number = ? OR owner = ?", what.upper().replace(":", ""), what)
    if not rows:
        raise BadAuthority(f"this authority issued nothing to {what}: see firsthand-fleet ca list")
    return rows


def revoke(keys: Keys, rows: list[Issued], reason: Reason, since: dt.datetime | None = None) -> list[Issued]:
    """Take certificates back and sign all lists anew; those that were live until now."""
    when = now()
    if since is not None and since > when:
        raise BadAuthority("--since lies in the future: a certificate is taken back from now on at the latest")
    fresh = [one for one in rows if one.revoked_s is None]
    for one in rows:
        keys.store.register.revoke(one.number, reason, int(when.timestamp()), int(since.timestamp()) if since else None)
    sign_lists(keys, {(one.generation, one.role) for one in rows})
    return fresh


def sign_lists(keys: Keys, only: Collection[tuple[int, Role]] | None = None) -> None:
    """The lists of all role authorities, or of some, signed anew. Durable; readers see the old file or the new one."""
    for generation in keys.store.generations:
        for role in ROLES:
            if only is not None and (generation.number, role) not in only:
                continue
            rows = keys.store.register.find(
                "generation = ? AND role = ? AND revoked_s IS NOT NULL", generation.number, role
            )
            _write(keys.store, generation, role, keys.issuer(role, generation), rows, keys.store.settings.crl_days)
    join_lists(keys.store)


def sign_root_list(store: AuthorityStore, generation: Generation, root: Credential) -> None:
    """The root's own list: of authorities that were taken back, none as yet. Needs the root's key."""
    _write(store, generation, "root", root, [], ROOT_LIST_DAYS)
    join_lists(store)


def _write(
    store: AuthorityStore, generation: Generation, authority: str, issuer: Credential, rows: list[Issued], days: int
) -> None:
    when = now()
    number = store.register.next_list_number(generation.number, authority)
    crl = issuing.make_crl(issuer, [_entry(one) for one in rows], number, when, when + dt.timedelta(days=days))
    path = store.directory / "lists" / f"{generation.number}-{authority}.crl"
    durable.replace(path, crl.public_bytes(serialization.Encoding.PEM), mode=0o644)


def join_lists(store: AuthorityStore) -> None:
    """``lists/revoked.crl`` from the single lists."""
    paths = sorted(path for path in (store.directory / "lists").glob("*.crl") if path.name != "revoked.crl")
    data = b"".join(path.read_bytes() for path in paths)
    durable.replace(store.directory / "lists" / "revoked.crl", data, mode=0o644)


def stale(store: AuthorityStore) -> list[str]:
    """A sentence for each list that must be signed anew."""
    path = store.directory / "lists" / "revoked.crl"
    if not path.exists():
        return ["there is no revocation list yet: run firsthand-fleet ca crl"]
    return [
        f"the list of {crl.issuer.rfc4514_string()} is out of date: run firsthand-fleet ca crl"
        for crl in load_crls(path)
        if crl.next_update_utc is not None and crl.next_update_utc < now()
    ]


def _entry(row: Issued) -> x509.RevokedCertificate:
    assert row.revoked_s is not None
    assert row.reason is not None
    builder = x509.RevokedCertificateBuilder().serial_number(int(row.number, 16))
    builder = builder.revocation_date(dt.datetime.fromtimestamp(row.revoked_s, dt.UTC))
    builder = builder.add_extension(x509.CRLReason(_FLAGS[row.reason]), critical=False)
    if row.since_s is not None:
        since = dt.datetime.fromtimestamp(row.since_s, dt.UTC)
        builder = builder.add_extension(x509.InvalidityDate(since), critical=False)
    return builder.build()

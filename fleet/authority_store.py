"""An agency's certificate authority on disk: `firsthand-fleet ca` (R6, R11; design, invariant 12).

    ca.toml                 what it is told (`fleet.authority_settings`)
    root.pem, tls-ca.pem    what to install: the root that everything is pinned to; whom TLS believes
    1/root.pem, 1/root.key  the first root; its key is encrypted, and belongs into a safe once the authorities are made
    1/ROLE.pem, 1/ROLE.key  the authority of each role; its key is encrypted under the operating passphrase
    issued.sqlite           the register (`fleet.issued`)
    lists/revoked.crl       all revocation lists: `revocation_lists` of station.toml, ``--crl`` of firsthand-evidence

1. A certificate is in the register before anyone has it. 2. No private key lies here unencrypted. 3. Nothing is ever
deleted or overwritten but the revocation lists and the two files to install. 4. A second root (`2/`) stands beside the
first; the first goes on taking back what it issued.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.errors import BadKey
from evidence.keys import load_certificates, same_public_key
from evidence.roles import ROLE_OIDS, Role
from fleet import issuing
from fleet.authority_settings import AuthoritySettings, load_authority_settings
from fleet.encrypted_key import encrypted_pem, open_encrypted
from fleet.errors import BadAuthority
from fleet.issued import Register
from fleet.issuing import CURVES, Credential, Leaf, Validity

ROOT_YEARS: Final = 20
AUTHORITY_YEARS: Final = 10
ROLES: Final[tuple[Role, ...]] = tuple(ROLE_OIDS)
BACKDATED: Final = dt.timedelta(hours=1)
"""Certificates hold from a little before now: the other machine's clock may be behind."""


def now() -> dt.datetime:
    """The wall clock, whole seconds."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER: what people compare."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


@dataclass(frozen=True)
class Generation:
    """One root with its role authorities."""

    number: int
    directory: Path
    root: x509.Certificate
    authorities: dict[Role, x509.Certificate]
    crossed: dict[Role, x509.Certificate] = field(default_factory=dict)
    """The same authorities, signed by the root before: for who is still pinned to that one."""

    @classmethod
    def load(cls, directory: Path) -> Generation:
        """Raises `BadAuthority`, `BadKey`."""
        authorities = {role: load_certificates(directory / f"{role}.pem")[0] for role in ROLES}
        crossed = {
            role: load_certificates(path)[0] for role in ROLES if (path := directory / f"{role}-cross.pem").exists()
        }
        return cls(int(directory.name), directory, load_certificates(directory / "root.pem")[0], authorities, crossed)


class AuthorityStore:
    """The directory. Certificates are read at once, keys only by who has the passphrase (`unlock`)."""

    def __init__(self, directory: Path) -> None:
        """Raises `BadAuthority`, `BadKey`, `evidence.settings.BadSettings`."""
        if not (directory / "ca.toml").exists():
            raise BadAuthority(f"{directory} holds no certificate authority: make one with firsthand-fleet ca init")
        self.directory = directory
        self.settings: AuthoritySettings = load_authority_settings(directory / "ca.toml")
        numbers = sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit())
        self.generations = tuple(
            Generation.load(directory / str(number))
            for number in numbers
            if (directory / str(number) / "complete").exists()
        )
        if not self.generations:
            raise BadAuthority(f"{directory} was not finished: remove it and run firsthand-fleet ca init again")
        self.register = Register(directory / "issued.sqlite")

    @property
    def current(self) -> Generation:
        """The root and authorities that issue now."""
        return self.generations[-1]

    def all_authorities(self) -> list[x509.Certificate]:
        """Roots and authorities of all generations, cross certificates too: what /cacerts tells."""
        found: list[x509.Certificate] = []
        for one in reversed(self.generations):
            found += [one.root, *one.authorities.values(), *one.crossed.values()]
        return found

    def crossed(self, role: Role) -> x509.Certificate | None:
        """The present authority of a role, signed by the root before: for who is still pinned to that one."""
        return self.current.crossed.get(role)

    def trusted_for_tls(self) -> list[x509.Certificate]:
        """Whom a TLS server of ours believes."""
        return [one for each in self.generations for one in (each.authorities["tls"], each.root)]

    def unlock(self, passphrase: bytes) -> Keys:
        """The authorities' keys, opened when they are needed."""
        return Keys(self, passphrase)

    def write_installable(self) -> None:
        """``root.pem`` and ``tls-ca.pem``, from the generations. Durable. Raises OSError."""
        durable.replace(self.directory / "tls-ca.pem", issuing.pem(*self.trusted_for_tls()), mode=0o644)
        durable.replace(self.directory / "root.pem", issuing.pem(self.current.root), mode=0o644)


@dataclass
class Keys:
    """Who has the operating passphrase."""

    store: AuthorityStore
    passphrase: bytes = field(repr=False)
    _opened: dict[tuple[int, Role], Credential] = field(default_factory=dict, repr=False)

    def issuer(self, role: Role, generation: Generation | None = None) -> Credential:
        """The authority of a role with its key. Raises `BadPassphrase`, `BadKey`."""
        one = generation or self.store.current
        if (one.number, role) not in self._opened:
            key = open_encrypted(one.directory / f"{role}.key", self.passphrase)
            if not same_public_key(key, one.authorities[role]):
                raise BadKey(f"{one.directory / role}.key does not belong to {role}.pem: restore both from a backup")
            self._opened[one.number, role] = Credential(key, (one.authorities[role],))
        return self._opened[one.number, role]

    def sign(
        self, leaf: Leaf, key: ec.EllipticCurvePublicKey, *, days: int | None = None
    ) -> tuple[x509.Certificate, ...]:
        """Leaf and authority. It must stand in the register before anyone gets it: see `issue`."""
        when = now()
        issuer = self.issuer(leaf.role)
        length = dt.timedelta(days=days or self.store.settings.days_of(leaf.role))
        validity = Validity(when - BACKDATED, when + length).within(issuer.certificate)
        certificate = issuing.issue(leaf, key, issuer, validity, simulated=self.store.settings.simulated)
        return (certificate, *issuer.chain)

    def issue(
        self, leaf: Leaf, key: ec.EllipticCurvePublicKey, *, days: int | None = None
    ) -> tuple[x509.Certificate, ...]:
        """Certify a public key, and enter it into the register. Leaf and authority. Raises `FleetError`."""
        chain = self.sign(leaf, key, days=days)
        with self.store.register.alone():
            self.store.register.add(chain[0], self.store.current.number, int(now().timestamp()))
        return chain


def create(
    directory: Path,
    *,
    organization: str,
    simulated: bool,
    curve: issuing.Curve,
    root_passphrase: bytes,
    passphrase: bytes,
) -> tuple[Keys, Credential]:
    """A new authority in a new directory: its keys, and its root for the first lists.

    Raises `BadAuthority`, OSError.
    """
    if directory.exists() and any(directory.iterdir()):
        raise BadAuthority(f"{directory} is not empty, and keys are never overwritten")
    if hmac.compare_digest(root_passphrase, passphrase):
        raise BadAuthority("the root's passphrase must be another one: who runs the authorities must not have the root")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "lists").mkdir()
    Register(directory / "issued.sqlite", create=True).close()
    key = ec.generate_private_key(CURVES[curve])
    validity = Validity.years(ROOT_YEARS, now() - BACKDATED)
    root = issuing.make_root(organization, key, validity, simulated=simulated)
    opened = write_generation(directory / "1", root, organization, simulated, curve, root_passphrase, passphrase)
    text = (
        f"# firsthand-fleet ca: what this certificate authority is told. Keys: docs/configuration.md\n"
        f'organization = {toml_string(organization)}\nsimulated = {str(simulated).lower()}\ncurve = "{curve}"\n'
    )
    durable.replace(directory / "ca.toml", text.encode(), mode=0o600)
    store = AuthorityStore(directory)
    store.write_installable()
    return Keys(store, passphrase, {(1, role): one for role, one in opened.items()}), root


def write_generation(
    directory: Path,
    root: Credential,
    organization: str,
    simulated: bool,
    curve: issuing.Curve,
    root_passphrase: bytes,
    passphrase: bytes,
    before: Sequence[Credential] = (),
    number: int = 1,
) -> dict[Role, Credential]:
    """A root with fresh role authorities into a new directory; ``complete`` is written last. Raises OSError.

    `before` are earlier roots that sign the new authorities as well.
    """
    directory.mkdir(mode=0o700)
    durable.write_new(directory / "root.key", encrypted_pem(root.key, root_passphrase), mode=0o600)
    durable.write_new(directory / "root.pem", root.chain_pem(), mode=0o644)
    tag = "" if number == 1 else f" {number}"
    validity = Validity.years(AUTHORITY_YEARS, now() - BACKDATED).within(root.certificate)
    made: dict[Role, Credential] = {}
    for role in ROLES:
        key = ec.generate_private_key(CURVES[curve])
        subject = issuing.name(f"{organization} {role} authority{tag}", organization)
        public = key.public_key()
        certificate = issuing.make_intermediate(role, subject, public, root, validity, simulated=simulated)
        made[role] = Credential(key, (certificate,))
        durable.write_new(directory / f"{role}.key", encrypted_pem(key, passphrase), mode=0o600)
        durable.write_new(directory / f"{role}.pem", issuing.pem(certificate), mode=0o644)
        for one in before:
            shorter = validity.within(one.certificate)
            crossed = issuing.make_intermediate(role, subject, public, one, shorter, simulated=simulated)
            durable.write_new(directory / f"{role}-cross.pem", issuing.pem(crossed), mode=0o644)
    durable.write_new(directory / "complete", b"", mode=0o644)
    return made


def toml_string(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(one if one >= " " and one not in '"\\\x7f' else f"\\u{ord(one):04x}" for one in text)
    return f'"{escaped}"'

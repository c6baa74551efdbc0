"""The register of a certificate authority: every certificate that it issued, and what became of it (R11).

SQLite, WAL, synchronous=FULL: a certificate is in the register durably before anyone gets it, so none exists that could
not be taken back. Rows are never deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from evidence.roles import Role, key_level_of, role_of, serial_of
from fleet.errors import BadAuthority

Reason = Literal["lost", "stolen", "key_compromise", "retired", "replaced", "transferred"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
_FOR_EVER_S: Final = 4_102_444_800
"""The year 2100."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS certificate (
  number TEXT PRIMARY KEY, generation INTEGER NOT NULL, role TEXT NOT NULL, owner TEXT NOT NULL, level TEXT,
  issued_s INTEGER NOT NULL, until_s INTEGER NOT NULL, spki TEXT NOT NULL, der BLOB NOT NULL,
  revoked_s INTEGER, since_s INTEGER, reason TEXT);
CREATE INDEX IF NOT EXISTS certificate_owner ON certificate (owner);
CREATE INDEX IF NOT EXISTS certificate_spki ON certificate (spki);
CREATE TABLE IF NOT EXISTS list (
  generation INTEGER, authority TEXT, number INTEGER, PRIMARY KEY (generation, authority));
CREATE TABLE IF NOT EXISTS token (
  sha256 TEXT PRIMARY KEY, serial TEXT NOT NULL, level TEXT NOT NULL, made_s INTEGER NOT NULL,
  until_s INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS redeemed (
  sha256 TEXT, role TEXT, spki TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (sha256, role));
CREATE TABLE IF NOT EXISTS note (at_s INTEGER NOT NULL, what TEXT NOT NULL, owner TEXT, details TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate in the register."""

    number: str
    """The certificate's serial number, hexadecimal."""
    generation: int
    """Under which root: 1 is the first."""
    role: Role
    owner: str
    """The serial of the camera, station or person; else the common name."""
    level: str | None
    issued_s: int
    until_s: int
    spki: str
    """SHA-256 of the public key."""
    der: bytes
    revoked_s: int | None
    since_s: int | None
    """From when on it was out of our hands, where that is known to be earlier."""
    reason: Reason | None

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    def live(self, now_s: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_s is None and now_s < self.until_s


_COLUMNS: Final = "number, generation, role, owner, level, issued_s, until_s, spki, der, revoked_s, since_s, reason"


def number_of(certificate: x509.Certificate) -> str:
    """The certificate's serial number as the register writes it, and openssl."""
    return as_number(certificate.serial_number)


def as_number(serial_number: int) -> str:
    """A certificate's serial number in hexadecimal, whole octets."""
    text = f"{serial_number:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def spki_of(key: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """SHA-256 of the public key."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key.public_key().public_bytes(*form)).hexdigest()


def owner_of(certificate: x509.Certificate) -> str:
    """Whose it is: the serial in the subject, else the common name."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return serial_of(certificate) or (str(names[0].value) if names else "?")


class Register:
    """The register's file. Calls block, from any thread; several processes may have it open."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise BadAuthority(f"{path} is missing: without its register an authority cannot take anything back")
        try:
            self._database = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)
            self._lock = threading.RLock()
        except sqlite3.Error as error:
            raise BadAuthority(f"the register {path} cannot be opened: {error}") from error
        path.chmod(0o600)

    @contextlib.contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes in. Raises `BadAuthority`."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise BadAuthority(f"the register does not take this: {error}") from error

    def add(self, certificate: x509.Certificate, generation: int, now_s: int) -> None:
        """Enter a certificate; call it inside `alone` or by itself. Durable with the transaction."""
        role = role_of(certificate)
        assert role is not None
        row = (
            number_of(certificate),
            generation,
            role,
            owner_of(certificate),
            key_level_of(certificate),
            now_s,
            int(certificate.not_valid_after_utc.timestamp()),
            spki_of(certificate),
            certificate.public_bytes(serialization.Encoding.DER),
        )
        self._database.execute(f"INSERT INTO certificate ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,NULL,NULL,NULL)", row)  # noqa: S608 - a constant

    def find(self, where: str = "1", *values: object) -> list[Issued]:
        """Rows, oldest first. `where` is SQL of ours, never of a caller from outside."""
        query = f"SELECT {_COLUMNS} FROM certificate WHERE {where} ORDER BY rowid"  # noqa: S608
        with self._lock:
            rows = self._database.execute(query, values).fetchall()
        return [Issued(*cast("tuple[object, ...]", row)) for row in rows]  # type: ignore[arg-type]

    def by_certificate(self, certificate: x509.Certificate) -> Issued | None:
        """The row of that very certificate; None if this authority did not issue it."""
        found = self.find("number = ?", number_of(certificate))
        der = certificate.public_bytes(serialization.Encoding.DER)
        return found[0] if found and found[0].der == der else None

    def revoke(self, number: str, reason: Reason, now_s: int, since_s: int | None = None) -> None:
        """Take one back. The first word stays, but for an earlier `since`."""
        with self.alone() as database:
            database.execute(
                "UPDATE certificate SET revoked_s = coalesce(revoked_s, ?), reason = coalesce(reason, ?) "
                "WHERE number = ?",
                (now_s, reason, number),
            )
            if since_s is not None:
                database.execute(
                    "UPDATE certificate SET since_s = min(coalesce(since_s, ?), ?) WHERE number = ?",
                    (since_s, since_s, number),
                )

    def learn(
        self, number: str, generation: int, role: Role, reason: Reason, revoked_s: int, since_s: int | None
    ) -> bool:
        """A published list says that this was taken back; whether that is news to a restored register."""
        with self.alone() as database:
            row = database.execute("SELECT revoked_s FROM certificate WHERE number = ?", (number,)).fetchone()
            if row is None:
                database.execute(
                    f"INSERT INTO certificate ({_COLUMNS}) VALUES (?,?,?,'unknown',NULL,0,?,'',x'',?,?,?)",  # noqa: S608
                    (number, generation, role, _FOR_EVER_S, revoked_s, since_s, reason),
                )
                return True
            if row[0] is not None:
                return False
            database.execute(
                "UPDATE certificate SET revoked_s = ?, since_s = ?, reason = ? WHERE number = ?",
                (revoked_s, since_s, reason, number),
            )
            return True

    def reach_list_number(self, generation: int, authority: str, number: int) -> None:
        """The next list of that authority has a larger number than this one."""
        with self.alone() as database:
            database.execute(
                "INSERT INTO list VALUES (?,?,?) ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
                (generation, authority, number),
            )

    def note(self, what: str, owner: str | None, details: str, now_s: int) -> None:
        """Remember a step that a court or an auditor may ask about."""
        with self.alone() as database:
            database.execute("INSERT INTO note VALUES (?,?,?,?)", (now_s, what, owner, details[:1000]))

    def notes(self) -> list[tuple[int, str, str | None, str]]:
        """(when, what, whose, details), oldest first."""
        return list(self._database.execute("SELECT at_s, what, owner, details FROM note ORDER BY rowid"))

    def next_list_number(self, generation: int, authority: str) -> int:
        """The number of an authority's next revocation list: it only goes up."""
        with self.alone() as database:
            database.execute(
                "INSERT INTO list VALUES (?,?,1) ON CONFLICT DO UPDATE SET number = number + 1", (generation, authority)
            )
            ((number,),) = database.execute(
                "SELECT number FROM list WHERE generation = ? AND authority = ?", (generation, authority)
            )
        return int(number)

    def close(self) -> None:
        self._database.close()

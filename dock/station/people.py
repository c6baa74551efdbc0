"""The registry of people: officers, technicians, supervisors, administrators (R32, R33).

SQLite (WAL, synchronous FULL) in ``people.sqlite`` of the station's directory, so that the commands work while the
station runs. Each change writes its line for the audit in the same transaction; the station enters it in the custody
ledger (`dock.station.people_audit`). Nobody is ever taken out: who has left is deactivated. Calls block, any thread.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from dock.errors import BadPerson
from dock.station import person as rules
from dock.station.people_secrets import Attempts, Way, hash_secret, hash_tag, matches, tag_key
from dock.station.person import Person, Role
from evidence import durable
from evidence.statements import moment

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS people (
    id TEXT PRIMARY KEY COLLATE NOCASE, name TEXT NOT NULL, badge TEXT, roles TEXT NOT NULL, training TEXT,
    active INTEGER NOT NULL, pin TEXT, password TEXT, tag TEXT UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS changes (
    row INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, person TEXT NOT NULL,
    what TEXT NOT NULL, details TEXT NOT NULL) STRICT;
"""
_BY_ID: Final = "SELECT id, name, badge, roles, training, active FROM people WHERE id = ?"
_BY_TAG: Final = "SELECT id, name, badge, roles, training, active FROM people WHERE tag = ?"
_ALL: Final = "SELECT id, name, badge, roles, training, active FROM people ORDER BY id"
_PUT: Final = (
    "INSERT INTO people (id, name, badge, roles, training, active) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO "
    "UPDATE SET name = excluded.name, badge = excluded.badge, roles = excluded.roles, training = excluded.training, "
    "active = excluded.active"
)
_SECRET: Final[dict[Way, str]] = {
    "pin": "SELECT pin FROM people WHERE active = 1 AND id = ?",
    "password": "SELECT password FROM people WHERE active = 1 AND id = ?",
}
_SET_SECRET: Final[dict[Way, str]] = {
    "pin": "UPDATE people SET pin = ? WHERE id = ?",
    "password": "UPDATE people SET password = ? WHERE id = ?",
}
_BUSY_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change that the custody ledger has not got yet."""

    row: int
    at: str
    who: str
    person: str
    what: str
    """`added`, `changed`, `deactivated`, `activated`, `password_set`, `pin_set`, `tag_set`…"""
    details: dict[str, str]


class People:
    """The registry in a station's directory. Methods raise `BadPerson`, OSError or sqlite3.Error."""

    def __init__(self, directory: Path, *, utc_ns: Callable[[], int]) -> None:
        durable.make_directory(directory)
        path = directory / "people.sqlite"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite keeps the mode, its WAL too
        self._utc_ns = utc_ns
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        with self._transaction():
            for statement in (*_SCHEMA.split(";"), Attempts.SCHEMA):
                self._database.execute(statement)
            self._key = tag_key(directory / "people.key")
        self._attempts = Attempts(self._database)

    def find(self, person: str) -> Person | None:
        """Somebody by identifier, active or not."""
        return self._one(_BY_ID, person)

    def all(self) -> list[Person]:
        """Everybody, the inactive too, by identifier."""
        with self._lock:
            rows = self._database.execute(_ALL).fetchall()
        return [_person(row) for row in rows]

    def by_tag(self, uid: str) -> Person | None:
        """Whose RFID tag that is; None for an unknown tag and for somebody who is not active."""
        try:
            plain = rules.checked_tag(uid)
        except BadPerson:
            return None
        return _active(self._one(_BY_TAG, hash_tag(self._key, plain)))

    def by_pin(self, person: str, pin: str) -> Person | None:
        """Somebody by identifier and PIN; None if that is wrong. Raises `SignInLocked`."""
        return self._by_secret(person, "pin", pin)

    def by_password(self, person: str, password: str) -> Person | None:
        """Somebody by identifier and password; None if that is wrong. Raises `SignInLocked`."""
        return self._by_secret(person, "password", password)

    def _by_secret(self, person: str, way: Way, secret: str) -> Person | None:
        key = person[:32]
        with self._transaction():
            self._attempts.count(key, way, self._utc_ns())
            row = self._database.execute(_SECRET[way], (person,)).fetchone()
        if not matches(row[0] if row is not None else None, secret):
            return None
        with self._transaction():
            self._attempts.clear(key, way)
            return _active(self.find(person))

    def add(self, new: Person, *, who: str) -> Person:
        """Somebody new. Raises `BadPerson` if the identifier is taken."""
        checked = _checked(new)
        with self._transaction():
            if self.find(new.id) is not None:
                raise BadPerson(f"{new.id} is in the registry already: change that entry instead")
            self._put(checked)
            self._note(who, new.id, "added", _words(checked))
        return checked

    def change(self, changed: Person, *, who: str) -> Person:
        """Another name, badge, role, training or `active`. Raises `BadPerson` for an unknown identifier."""
        checked = _checked(changed)
        with self._transaction():
            before = self._known(changed.id)
            checked = replace(checked, id=before.id)
            old, new = _words(before), _words(checked)
            if old != new:
                self._put(checked)
                what = "changed"
                if before.active != checked.active:
                    what = "activated" if checked.active else "deactivated"
                told = {key: f"{old[key]} -> {new[key]}" for key in new if old[key] != new[key]}
                self._note(who, before.id, what, told)
        return checked

    def deactivate(self, person: str, *, who: str) -> Person:
        """Signs in no more, with nothing; the entry stays, since records name it."""
        return self.change(replace(self._known(person), active=False), who=who)

    def train(self, person: str, until: dt.date | None, *, who: str) -> Person:
        """Until when the training counts (R32)."""
        return self.change(replace(self._known(person), training_valid_until=until), who=who)

    def set_pin(self, person: str, pin: str | None, *, who: str) -> None:
        """A new PIN, or none. It opens a way in that was locked."""
        self._set_secret(person, "pin", hash_secret(rules.checked_pin(pin)) if pin is not None else None, who)

    def set_password(self, person: str, password: str | None, *, who: str) -> None:
        """A new password, or none. It opens a way in that was locked."""
        hashed = hash_secret(rules.checked_password(password)) if password is not None else None
        self._set_secret(person, "password", hashed, who)

    def _set_secret(self, person: str, way: Way, hashed: str | None, who: str) -> None:
        with self._transaction():
            known = self._known(person)
            self._database.execute(_SET_SECRET[way], (hashed, known.id))
            self._attempts.clear(known.id, way)
            self._note(who, known.id, f"{way}_set" if hashed is not None else f"{way}_removed", {})

    def set_tag(self, person: str, uid: str | None, *, who: str) -> None:
        """The RFID tag, or none. Raises `BadPerson` if it is another person's."""
        tag = hash_tag(self._key, rules.checked_tag(uid)) if uid is not None else None
        with self._transaction():
            known = self._known(person)
            other = self._one(_BY_TAG, tag) if tag is not None else None
            if other is not None and other.id != known.id:
                raise BadPerson(f"that tag is {other.id}'s: take it from there first")
            self._database.execute("UPDATE people SET tag = ? WHERE id = ?", (tag, known.id))
            self._note(who, known.id, "tag_set" if tag is not None else "tag_removed", {})

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All changes within, or none of them if it raises."""
        with self._transaction():
            yield

    def unaudited(self, most: int = 100) -> list[Change]:
        """The oldest changes that the custody ledger has not got."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM changes ORDER BY row LIMIT ?", (most,)).fetchall()
        return [
            Change(row, at, who, person, what, msgspec.json.decode(details, type=dict[str, str]))
            for row, at, who, person, what, details in rows
        ]

    def audited(self, change: Change) -> None:
        """The custody ledger has it."""
        with self._transaction():
            self._database.execute("DELETE FROM changes WHERE row = ?", (change.row,))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _known(self, person: str) -> Person:
        found = self.find(person)
        if found is None:
            raise BadPerson(f"{person[:40]!r} is not in the registry: `people list` shows who is")
        return found

    def _one(self, query: str, value: str) -> Person | None:
        with self._lock:
            row = self._database.execute(query, (value,)).fetchone()
        return _person(row) if row is not None else None

    def _put(self, one: Person) -> None:
        training = one.training_valid_until.isoformat() if one.training_valid_until is not None else None
        roles = " ".join(sorted(one.roles))
        self._database.execute(_PUT, (one.id, one.name, one.badge, roles, training, int(one.active)))

    def _note(self, who: str, person: str, what: str, details: dict[str, str]) -> None:
        self._database.execute(
            "INSERT INTO changes (at, who, person, what, details) VALUES (?, ?, ?, ?, ?)",
            (moment(self._utc_ns()), who[:128], person, what, msgspec.json.encode(details).decode()),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Durable when it ends; nothing of it if it raises. May stand within another."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _checked(one: Person) -> Person:
    if not one.roles:
        raise BadPerson(f"{one.id} needs a role: {', '.join(rules.ROLES)}")
    return replace(
        one,
        id=rules.checked_id(one.id),
        name=rules.checked_name(one.name),
        badge=rules.checked_name(one.badge, "badge") if one.badge is not None else None,
        roles=frozenset(rules.checked_role(role) for role in one.roles),
    )


def _active(one: Person | None) -> Person | None:
    return one if one is not None and one.active else None


def _person(row: tuple[Any, ...]) -> Person:
    person, name, badge, roles, training, active = row
    held: frozenset[Role] = frozenset(rules.checked_role(role) for role in roles.split())
    until = dt.date.fromisoformat(training) if training is not None else None
    return Person(person, name, badge, held, until, bool(active))


def _words(one: Person) -> dict[str, str]:
    """What the audit says of an entry."""
    return {
        "name": one.name,
        "badge": one.badge or "none",
        "roles": " ".join(sorted(one.roles)),
        "training": one.training_valid_until.isoformat() if one.training_valid_until else "unknown",
        "active": "yes" if one.active else "no",
    }

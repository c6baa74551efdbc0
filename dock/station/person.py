"""One person who deals with cameras at the dock: who it is, what the person may do, until when the training counts.

R32 and R33. Pure.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dock.errors import BadPerson

Role = Literal["officer", "technician", "supervisor", "administrator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_TAG: Final = re.compile(r"[0-9A-F]{8,64}", re.ASCII)
_PIN: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
_NAME_LENGTH: Final = 128
PASSWORD_LEAST: Final = 10
PASSWORD_MOST: Final = 200
"""Longer ones are refused, so that nobody can have a whole book hashed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the registry. PIN, password and tag are never part of it."""

    id: str
    """The agency's own identifier; capital and small letters count as the same."""
    name: str
    badge: str | None
    roles: frozenset[Role]
    training_valid_until: dt.date | None
    """Last day on which the training counts; None if none is known."""
    active: bool = True

    def trained(self, day: dt.date) -> bool:
        """Whether the training counts on that day (R32). Unknown is no."""
        return self.training_valid_until is not None and day <= self.training_valid_until


def checked_id(text: str) -> str:
    """An identifier. Raises `BadPerson`."""
    if not _ID.fullmatch(text):
        raise BadPerson(f"{text[:40]!r} is no identifier of a person: up to 32 letters, digits, '.', '_' and '-'")
    return text


def checked_name(text: str, what: str = "name") -> str:
    """A name or badge as people write it, in one line. Raises `BadPerson`."""
    plain = " ".join(text.split())
    if not plain or len(plain) > _NAME_LENGTH or not plain.isprintable():
        raise BadPerson(f"the {what} must have 1 to {_NAME_LENGTH} printable characters")
    return plain


def checked_role(text: str) -> Role:
    """One role by its word. Raises `BadPerson`."""
    for role in ROLES:
        if text == role:
            return role
    raise BadPerson(f"there is no role {text[:40]!r}: choose of {', '.join(ROLES)}")


def checked_day(text: str) -> dt.date:
    """A day as 2027-06-30. Raises `BadPerson`."""
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError as error:
        raise BadPerson(f"{text[:40]!r} is no day: write it as 2027-06-30") from error


def checked_tag(uid: str) -> str:
    """The UID of an RFID tag as readers send it, without separators, in capitals. Raises `BadPerson`."""
    plain = re.sub(r"[\s:.-]", "", uid).upper()
    if not _TAG.fullmatch(plain):
        raise BadPerson("that is no UID of an RFID tag: 8 to 64 hexadecimal digits")
    return plain


def checked_pin(pin: str) -> str:
    """A new PIN. Raises `BadPerson`, which does not repeat it."""
    if not _PIN.fullmatch(pin):
        raise BadPerson("a PIN has 4 to 12 digits")
    steps = {(int(after) - int(before)) % 10 for before, after in itertools.pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise BadPerson("that PIN is one of the first that anybody tries (1111, 1234, 4321): choose another")
    return pin


def checked_password(password: str) -> str:
    """A new password. Raises `BadPerson`, which does not repeat it."""
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise BadPerson(f"a password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters: several words do well")
    if len(set(password)) < 4:
        raise BadPerson("that password repeats itself: choose another")
    return password

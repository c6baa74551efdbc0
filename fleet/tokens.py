"""One-time tokens: a technician's word that a machine may enrol under one serial, for minutes.

192 random bits, so the register keeps only their SHA-256. A token certifies one key of each kind (evidence, TLS). The
same request again gets the same certificate again, since the answer may have been lost on the way; another key gets
nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

from evidence.roles import KeyLevel
from fleet.errors import BadAuthority, RequestRefused
from fleet.issued import Register

LONGEST_S: Final = 7 * 86_400
TOKEN_BYTES: Final = 256
"""Most characters of what is looked at as a token."""
SERIAL: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Token:
    """What the register knows of a token that holds."""

    sha256: str
    serial: str
    level: KeyLevel


def seconds_of(text: str) -> int:
    """``30m``, ``12h``, ``2d`` as seconds. Raises `BadAuthority`."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise BadAuthority(f"{text!r} is no length of time: write 30m, 12h or 2d")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST_S:
        raise BadAuthority("a token holds for 7 days at most: make it when the camera is on the table")
    return seconds


def make_token(register: Register, serial: str, level: KeyLevel, valid_s: int, now_s: int) -> str:
    """A new token for one serial. Durable when it returns. Raises `BadAuthority`."""
    if SERIAL.fullmatch(serial) is None:
        raise BadAuthority(f"{serial!r} is no serial: capital letters, digits and dashes, at most 32, e.g. CAM-0042")
    text = secrets.token_urlsafe(24)
    with register.alone() as database:
        row = (_digest(text), serial, level, now_s, now_s + valid_s)
        database.execute("INSERT INTO token VALUES (?,?,?,?,?)", row)
    return text


def check_token(register: Register, serial: str, text: str, now_s: int) -> Token:
    """The token, if it is known, for this serial, and in time. Raises `RequestRefused` (401)."""
    with register.alone() as database:
        row = database.execute("SELECT serial, level, until_s FROM token WHERE sha256 = ?", (_digest(text),)).fetchone()
    if row is None or row[0] != serial:
        raise RequestRefused("no such token for this serial: make one with firsthand-fleet enrol-token", 401)
    if now_s >= row[2]:
        raise RequestRefused("the token has run out: make another with firsthand-fleet enrol-token", 401)
    return Token(_digest(text), row[0], row[1])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
